#include "framework/core/isolation/component_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "framework/core/registry/installation.h"
#include "plumb/error.h"

namespace plumb {
namespace {

constexpr std::size_t kLastLines = 3;
constexpr std::size_t kLongestLine = 300;

}  // namespace

std::filesystem::path component_program() {
  const std::filesystem::path file = installation_prefix() / "bin" / "plumb-component";
  std::error_code error;
  if (!std::filesystem::exists(file, error)) {
    throw Error(ErrorCode::plugin, "plugins run in the program " + file.string() +
                                       ", which is not there; build or install the whole product");
  }
  return file;
}

std::string how_it_ended(const ChildProcess& child) {
  if (child.signal() == 0) return fmt::format("ended with status {}", child.status());
  const char* description = ::sigdescr_np(child.signal());
  const char* name = ::sigabbrev_np(child.signal());
  return fmt::format("was killed by SIG{} ({})", name == nullptr ? std::to_string(child.signal()) : name,
                     description == nullptr ? "a signal" : description);
}

std::string last_words(const std::string& errors) {
  std::vector<std::string> lines;
  for (std::size_t start = 0; start < errors.size();) {
    const std::size_t end = std::min(errors.find('\n', start), errors.size());
    if (end > start) lines.push_back(errors.substr(start, std::min(end - start, kLongestLine)));
    start = end + 1;
  }
  if (lines.size() > kLastLines) lines.erase(lines.begin(), lines.end() - kLastLines);
  return lines.empty() ? "" : fmt::format("; its last words: {}", fmt::join(lines, " / "));
}

}  // namespace plumb
