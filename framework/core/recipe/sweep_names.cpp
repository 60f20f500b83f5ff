#include "framework/core/recipe/sweep_names.h"

#include <algorithm>
#include <cctype>

namespace plumb {

bool is_arm_name(const std::string& s) {
  const auto plain = [](unsigned char c) { return c < 0x80 && std::isalnum(c) != 0; };
  return !s.empty() && s.size() <= 64 && plain(static_cast<unsigned char>(s[0])) &&
         std::all_of(s.begin(), s.end(), [&](unsigned char c) { return plain(c) || c == '-' || c == '_' || c == '.'; });
}

std::string spelled(const Value& value, std::size_t index) {
  const Value* name = value.is_map() ? value.find("name") : nullptr;
  const Value& said = name == nullptr ? value : *name;
  if (said.is_map() || said.is_list()) return std::to_string(index + 1);
  std::string out = said.is_string() ? said.as_string() : to_json(said);
  for (char& c : out) {
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x80 || (std::isalnum(u) == 0 && std::string("-_.+").find(c) == std::string::npos)) c = '-';
  }
  return out.substr(0, 40);
}

std::vector<std::string> short_names(const std::vector<std::string>& keys) {
  std::vector<std::string> out;
  for (const std::string& key : keys) {
    std::size_t from = key.size();
    std::string end;
    do {
      from = from == 0 ? 0 : key.rfind('.', from - 1);
      end = from == std::string::npos ? key : key.substr(from + 1);
    } while (from != std::string::npos && std::count_if(keys.begin(), keys.end(), [&](const std::string& other) {
                                            return other == end || other.ends_with("." + end);
                                          }) > 1);
    out.push_back(end);
  }
  return out;
}

}  // namespace plumb
