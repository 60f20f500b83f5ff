#include "plumb/registrar.h"

#include <algorithm>

#include "string_lists.h"

namespace plumb {
inline namespace v1 {
namespace {

bool good_name(const std::string& name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && letter(name.front()) && letter(name.back()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || c == '-' || c == '.' || c == '_'; });
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
  Value out = Value::map({{"kind", info.kind},
                          {"name", info.name},
                          {"doc", info.doc},
                          {"source", info.source},
                          {"params", describe(info.params)},
                          {"yields", detail::list_of(info.yields)},
                          {"takes", detail::list_of(info.takes)},
                          {"needs", detail::list_of(info.needs)},
                          {"claims", detail::list_of(info.claims)}});
  if (!info.batch.by.empty()) {
    out.set("batch", Value::map({{"by", info.batch.by},
                                 {"of", info.batch.of},
                                 {"takes", detail::list_of(info.batch.takes)},
                                 {"needs", detail::list_of(info.batch.needs)},
                                 {"yields", detail::list_of(info.batch.yields)}}));
  }
  return out;
}

ComponentInfo parse_component(const Value& value) {
  ComponentInfo out;
  out.kind = value.at("kind").as_string();
  out.name = value.at("name").as_string();
  out.doc = value.at("doc").as_string();
  out.source = value.at("source").as_string();
  out.params = parse_description(value.at("params"));
  out.yields = detail::texts_of(value, "yields");
  out.takes = detail::texts_of(value, "takes");
  out.needs = detail::texts_of(value, "needs");
  out.claims = detail::texts_of(value, "claims");
  if (const Value* batch = value.find("batch")) {
    out.batch = {batch->at("by").as_string(), batch->at("of").as_string(), detail::texts_of(*batch, "takes"),
                 detail::texts_of(*batch, "needs"), detail::texts_of(*batch, "yields")};
  }
  return out;
}

}  // namespace v1
}  // namespace plumb
