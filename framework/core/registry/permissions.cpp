#include "framework/core/registry/permissions.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <deque>

#include "framework/core/registry/installation.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

constexpr int most_links = 40;  // as the kernel

uid_t owner_of_installation() {
  struct stat status {};
  return ::stat(installation_prefix().c_str(), &status) == 0 ? status.st_uid : 0;
}

bool is_trusted(uid_t owner) {
  static const uid_t installed = owner_of_installation();
  return owner == 0 || owner == ::geteuid() || owner == installed;
}

// A file, folder or link by itself.
std::string problem_of(const fs::path& path, const struct stat& status) {
  if (!is_trusted(status.st_uid)) {
    return fmt::format("{} belongs to user {}, who could replace it; run: chown {} {}", path.string(), status.st_uid,
                       ::geteuid(), path.string());
  }
  const bool open = (status.st_mode & S_IWOTH) != 0 && !S_ISLNK(status.st_mode);
  if (!open || (S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0)) return {};
  return fmt::format("everybody may write to {}; run: chmod o-w {}", path.string(), path.string());
}

}  // namespace

std::string replaceable_by_others(const fs::path& file) {
  std::error_code failed;
  const fs::path whole = fs::absolute(file, failed);
  std::deque<fs::path> names(whole.begin(), whole.end());
  fs::path place;
  struct stat status {};
  for (int links = 0; !names.empty();) {
    const fs::path name = names.front();
    names.pop_front();
    if (name == "." || name.empty()) continue;
    const fs::path next = name == ".." ? place.parent_path() : place / name;
    if (::lstat(next.c_str(), &status) != 0) return next.string() + ": " + std::strerror(errno);
    if (std::string problem = problem_of(next, status); !problem.empty()) return problem;
    if (!S_ISLNK(status.st_mode)) {
      place = next;
      continue;
    }
    if (++links > most_links) return next.string() + ": " + std::strerror(ELOOP);
    const fs::path target = fs::read_symlink(next, failed);
    if (failed) return next.string() + ": " + failed.message();
    names.insert(names.begin(), target.begin(), target.end());  // an absolute one begins with "/": place / "/" is "/"
  }
  return S_ISREG(status.st_mode) ? std::string() : "it is no regular file";
}

}  // namespace plumb
