#include "secret.h"

#include <plumb/error.h>
#include <algorithm>
#include <cstdlib>

namespace openai {

std::string wrong_variable(const std::string& name) {
  const auto allowed = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
  const bool good = name.size() <= 64 && std::all_of(name.begin(), name.end(), allowed) &&
                    (name.empty() || name[0] < '0' || name[0] > '9');
  return good
             ? ""
             : "key_from wants the name of an environment variable in capitals, such as JUDGE_KEY, not the key itself; "
               "a key never stands in a recipe";
}

Secret::Secret(const std::string& variable) {
  if (variable.empty()) return;
  const char* value = std::getenv(variable.c_str());
  const auto fail = [](const char* what) {
    throw plumb::Error(plumb::ErrorCode::recipe,
                       std::string("openai-judge: the environment variable that `key_from` names ") + what);
  };
  if (value == nullptr || *value == '\0') fail("is not set; export it and run again");
  key_ = value;
  if (key_.size() < 8) fail("holds fewer than 8 characters; that is no key");
  if (!std::all_of(key_.begin(), key_.end(), [](char c) { return c > ' ' && c < 0x7f; })) {
    fail("holds a blank, a line break or a character beyond ASCII; a key has none");
  }
}

std::string Secret::strike(std::string text) const {
  if (key_.empty()) return text;
  for (std::size_t at = text.find(key_); at != std::string::npos; at = text.find(key_, at))
    text.replace(at, key_.size(), "***");
  return text;
}

}  // namespace openai
