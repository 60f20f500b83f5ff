#include "plumb/registrar.h"

#include <algorithm>

namespace plumb {
inline namespace v1 {
namespace {

bool good_name(const std::string& name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && letter(name.front()) && letter(name.back()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || c == '-' || c == '.' || c == '_'; });
}

Value list_of(const std::vector<std::string>& texts) {
  return Value::List(texts.begin(), texts.end());
}

std::vector<std::string> texts_of(const Value& value, std::string_view key) {
  std::vector<std::string> out;
  if (const Value* found = value.find(key)) {
    for (const Value& item : found->as_list()) out.push_back(item.as_string());
  }
  return out;
}

}  // namespace

ComponentEntry& Registrar::append(ComponentEntry entry) {
  const ComponentInfo& info = entry.info;
  if (!good_name(info.name)) {
    throw Error(ErrorCode::plugin, "component name \"" + info.name + "\" (" + info.kind +
                                       "): wanted lower-case letters, digits and `-` between them");
  }
  for (const auto& other : entries_) {
    if (other->info.kind == info.kind && other->info.name == info.name) {
      throw Error(ErrorCode::plugin, info.kind + " " + info.name + " is registered twice");
    }
  }
  return *entries_.emplace_back(std::make_unique<ComponentEntry>(std::move(entry)));
}

Value describe(const ComponentInfo& info) {
  return Value::map({{"kind", info.kind},
                     {"name", info.name},
                     {"doc", info.doc},
                     {"source", info.source},
                     {"params", describe(info.params)},
                     {"yields", list_of(info.yields)},
                     {"takes", list_of(info.takes)},
                     {"needs", list_of(info.needs)},
                     {"claims", list_of(info.claims)}});
}

ComponentInfo parse_component(const Value& value) {
  ComponentInfo out;
  out.kind = value.at("kind").as_string();
  out.name = value.at("name").as_string();
  out.doc = value.at("doc").as_string();
  out.source = value.at("source").as_string();
  out.params = parse_description(value.at("params"));
  out.yields = texts_of(value, "yields");
  out.takes = texts_of(value, "takes");
  out.needs = texts_of(value, "needs");
  out.claims = texts_of(value, "claims");
  return out;
}

}  // namespace v1
}  // namespace plumb
