#include "framework/core/recipe/yaml.h"
#include "framework/core/recipe/yaml_scalar.h"

namespace plumb {
namespace {

// Levels of maps that are written as blocks: the recipe, its sections, their stages. What is inside a stage fits a
// line.
constexpr int kBlockLevels = 3;

std::string in_line(const Value& value) {
  std::string out;
  if (value.is_list()) {
    for (const Value& item : value.as_list()) out += (out.empty() ? "" : ", ") + in_line(item);
    return "[" + out + "]";
  }
  if (value.is_map()) {
    for (const auto& [key, item] : value.as_map()) {
      out += (out.empty() ? "" : ", ") + write_scalar(key) + ": " + in_line(item);
    }
    return "{" + out + "}";
  }
  return write_scalar(value);
}

void in_block(const Value& map, int level, std::string& out) {
  const std::string indent(static_cast<std::size_t>(level) * 2, ' ');
  for (const auto& [key, value] : map.as_map()) {
    out += indent + write_scalar(key) + ":";
    if (value.is_map() && !value.as_map().empty() && level + 1 < kBlockLevels) {
      out += "\n";
      in_block(value, level + 1, out);
    } else {
      out += " " + in_line(value) + "\n";
    }
  }
}

}  // namespace

std::string write_yaml(const Value& value) {
  if (!value.is_map() || value.as_map().empty()) return in_line(value) + "\n";
  std::string out;
  in_block(value, 0, out);
  return out;
}

}  // namespace plumb
