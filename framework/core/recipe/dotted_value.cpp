#include "framework/core/recipe/dotted_value.h"

#include <algorithm>
#include <charconv>

namespace plumb {

const Value* find_dotted(const Value& tree, std::string_view name) {
  const Value* here = &tree;
  while (!name.empty()) {
    const auto dot = std::min(name.find('.'), name.size());
    const std::string_view part = name.substr(0, dot);
    name.remove_prefix(std::min(dot + 1, name.size()));
    if (here->is_list()) {
      std::size_t index = 0;
      const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), index);
      if (error != std::errc() || end != part.data() + part.size() || index >= here->as_list().size()) return nullptr;
      here = &here->as_list()[index];
    } else {
      here = here->is_map() ? here->find(part) : nullptr;
      if (here == nullptr) return nullptr;
    }
  }
  return here;
}

Value* find_dotted(Value& tree, std::string_view name) {
  return const_cast<Value*>(find_dotted(static_cast<const Value&>(tree), name));
}

void erase_dotted(Value& tree, std::string_view name) {
  const auto dot = name.rfind('.');
  const bool nested = dot != std::string_view::npos;
  Value* map = find_dotted(tree, nested ? name.substr(0, dot) : std::string_view());
  const std::string_view key = nested ? name.substr(dot + 1) : name;
  if (map == nullptr || !map->is_map()) return;
  std::erase_if(map->as_map(), [&](const Value::Entry& entry) { return entry.key == key; });
}

}  // namespace plumb
