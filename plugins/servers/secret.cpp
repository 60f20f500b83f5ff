#include "secret.h"

#include <sys/resource.h>

#include <plumb/error.h>
#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace server {
namespace {

constexpr std::size_t shortest_part = 8;  // letters of the key's beginning that are no accident

}  // namespace

std::string wrong_variable(const std::string& name) {
  const auto allowed = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
  const bool good = name.size() <= 64 && std::all_of(name.begin(), name.end(), allowed) &&
                    (name.empty() || name[0] < '0' || name[0] > '9');
  return good
             ? ""
             : "key_from wants the name of an environment variable in capitals, such as JUDGE_KEY, not the key itself; "
               "a key never stands in a recipe";
}

Secret::Secret(const std::string& variable, const std::string& who) {
  if (variable.empty()) return;
  const char* value = std::getenv(variable.c_str());
  const auto fail = [&](const char* what) {
    throw plumb::Error(plumb::ErrorCode::recipe, who + ": the environment variable that `key_from` names " + what);
  };
  if (value == nullptr || *value == '\0') fail("is not set; export it and run again");
  key_ = value;
  rlimit core{};
  ::getrlimit(RLIMIT_CORE, &core);
  core.rlim_cur = 0;  // a core dump of this process would hold the key
  ::setrlimit(RLIMIT_CORE, &core);
  if (key_.size() < 8) fail("holds fewer than 8 characters; that is no key");
  if (!std::all_of(key_.begin(), key_.end(), [](char c) { return c > ' ' && c < 0x7f; })) {
    fail("holds a blank, a line break or a character beyond ASCII; a key has none");
  }
}

std::string Secret::strike(std::string text) const {
  if (key_.empty()) return text;
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  std::string struck;
  for (std::size_t at = 0; at < text.size();) {
    // Servers that say which key is wrong cut it or change its case: its first letters are enough to be struck.
    const auto [stop, ignored] =
        std::mismatch(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(), key_.begin(), key_.end(), same);
    const auto length = static_cast<std::size_t>(stop - text.begin()) - at;
    if (length >= shortest_part) {
      struck += "***";
      at += length;
    } else {
      struck += text[at++];
    }
  }
  return struck;
}

}  // namespace server
