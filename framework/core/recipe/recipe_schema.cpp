#include "framework/core/recipe/recipe_schema.h"

#include <algorithm>
#include <set>

#include "framework/core/catalogue/stage.h"
#include "framework/core/components/choice.h"
#include "framework/core/components/plugin_stage.h"
#include "framework/core/recipe/overrides.h"

namespace plumb {

namespace {

Value reference(const std::string& definition) {
  return Value::map({{"$ref", "#/definitions/" + definition}});
}

Value names(const std::vector<std::string>& words) {
  return Value::List(words.begin(), words.end());
}

std::string description(const ParamInfo& info) {
  std::string out = info.doc;
  if (!info.unit.empty()) out += " [" + info.unit + "]";
  for (const std::string& type : info.accepts) out += (&type == &info.accepts.front() ? "; of type " : " or ") + type;
  return out;
}

void add_limits(Value& out, const ParamInfo& info) {
  if (info.min) out.set(info.min_open ? "exclusiveMinimum" : "minimum", *info.min);
  if (info.max) out.set(info.max_open ? "exclusiveMaximum" : "maximum", *info.max);
}

Value typed(const char* type) {
  return Value::map({{"type", type}});
}

Value list_of(Value items) {
  return Value::map({{"type", "array"}, {"items", std::move(items)}});
}

Value number(const char* type, const ParamInfo& info) {
  Value out = typed(type);
  add_limits(out, info);
  return out;
}

// A choice that ends in ":N" takes any number up to 127 (is_choice in plumb/placement.h).
std::string pattern_of(const std::vector<std::string>& choices) {
  std::string out;
  for (const std::string& choice : choices) {
    const bool numbered = choice.ends_with(":N");
    out += out.empty() ? "^(" : "|";
    for (const char c : numbered ? choice.substr(0, choice.size() - 1) : choice) {
      if (std::string_view(R"(\^$.|?*+()[]{})").find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
    if (numbered) out += "([0-9]|[1-9][0-9]|1[01][0-9]|12[0-7])";
  }
  out += ")$";
  return out;
}

Value text(const ParamInfo& info) {
  if (!info.component_kind.empty()) return reference("name-" + info.component_kind);
  Value out = typed("string");
  if (info.choices.empty()) return out;
  const bool numbered =
      std::any_of(info.choices.begin(), info.choices.end(), [](const auto& c) { return c.ends_with(":N"); });
  numbered ? out.set("pattern", pattern_of(info.choices)) : out.set("enum", names(info.choices));
  return out;
}

Value object(const std::vector<ParamInfo>& infos, const std::set<std::string>& given_elsewhere = {});

// The value without regard to null, default and documentation.
Value value_schema(const ParamInfo& info) {
  switch (info.type) {
    case ParamType::boolean:
      return typed("boolean");
    case ParamType::integer:
      return number("integer", info);
    case ParamType::real:
      return number("number", info);
    case ParamType::strings:
      return list_of(text(info));
    case ParamType::integers:
      return list_of(number("integer", info));
    case ParamType::reals:
      return list_of(number("number", info));
    case ParamType::component:
      return reference(info.component_kind);
    case ParamType::components:
      return list_of(reference(info.component_kind));
    case ParamType::stage_inputs:
      return list_of(typed("string"));
    case ParamType::value:
      return info.fields.empty() ? Value::map() : object(info.fields);
    case ParamType::string:
    case ParamType::path:
    case ParamType::choice:
    case ParamType::stage_input:
      return text(info);
  }
  return Value::map();
}

Value schema_of(const ParamInfo& info) {
  Value out = value_schema(info);
  if (info.nullable && !out.as_map().empty()) out = Value::map({{"anyOf", Value::list({out, typed("null")})}});
  // Draft 7 ignores what stands beside a $ref.
  if (out.find("$ref") != nullptr) out = Value::map({{"allOf", Value::list({out})}});
  out.set("description", description(info));
  if (!info.required && !info.default_value.is_null()) out.set("default", info.default_value);
  return out;
}

Value object(const std::vector<ParamInfo>& infos, const std::set<std::string>& given_elsewhere) {
  Value properties = Value::map();
  Value::List required;
  for (const ParamInfo& info : infos) {
    properties.set(info.name, schema_of(info));
    if (info.required && given_elsewhere.count(info.name) == 0) required.emplace_back(info.name);
  }
  Value out = Value::map({{"type", "object"}, {"properties", properties}, {"additionalProperties", false}});
  if (!required.empty()) out.set("required", std::move(required));
  return out;
}

// If `key` has one of these values, `then` holds.
Value when(const std::string& key, Value::List values, Value then) {
  const Value is = Value::map({{"type", "object"},
                               {"properties", Value::map({{key, Value::map({{"enum", std::move(values)}})}})},
                               {"required", Value::list({key})}});
  return Value::map({{"if", is}, {"then", std::move(then)}});
}

// A component: its name alone, or a map with `name` and parameters. In a recipe with a base the name may be missing.
void add_component_kind(Value& definitions, const Registry& registry, const std::string& kind) {
  std::vector<std::string> known = registry.names(kind);
  std::set<std::string> shorts(known.begin(), known.end());
  Value::List cases;
  for (const KnownComponent* component : registry.all(kind)) {
    const std::string full = component->plugin->id + ":" + component->info.name;
    Value::List spellings{full};
    if (shorts.count(component->info.name) != 0) spellings.insert(spellings.begin(), component->info.name);
    // `path` of a reward model or a generator may come from an input of the stage.
    Value params = object(component->info.params, {"path"});
    params.find("properties")->set("name", Value::map({{"description", component->info.doc}}));
    for (const ParamInfo& key : isolation_params(component->info)) {
      params.find("properties")->set(key.name, schema_of(key));
    }
    cases.push_back(when("name", std::move(spellings), std::move(params)));
  }
  const Value full_name = Value::map({{"type", "string"}, {"pattern", "^[^:]+:[^:]+$"}});
  const Value short_name = Value::map({{"enum", names(known)}});
  const Value name = known.empty() ? full_name : Value::map({{"anyOf", Value::list({short_name, full_name})}});
  definitions.set("name-" + kind, name);
  Value map = Value::map({{"type", "object"}, {"properties", Value::map({{"name", reference("name-" + kind)}})}});
  if (!cases.empty()) map.set("allOf", std::move(cases));
  definitions.set(kind, Value::map({{"anyOf", Value::list({reference("name-" + kind), map})}}));
}

void find_kinds(const std::vector<ParamInfo>& infos, std::set<std::string>& kinds) {
  for (const ParamInfo& info : infos) {
    if (!info.component_kind.empty()) kinds.insert(info.component_kind);
    find_kinds(info.fields, kinds);
  }
}

std::set<std::string> component_kinds(const Registry& registry) {
  std::set<std::string> kinds;
  for (const StageKind& stage : stage_catalogue()) find_kinds(stage.params, kinds);
  for (const PluginCandidate& candidate : registry.candidates()) {
    for (const ComponentInfo& info : candidate.components) find_kinds(info.params, kinds);
  }
  return kinds;
}

// The framework's own kinds, then those of plugins by the names that are theirs alone.
std::vector<StageKind> all_kinds(const Registry& registry) {
  std::vector<StageKind> out = stage_catalogue();
  for (const std::string& name : registry.names("stage")) {
    if (find_stage_kind(name) == nullptr)
      out.push_back(plugin_stage_kind(*registry.find("stage", name), name, registry));
  }
  return out;
}

// An entry of `stages:`; null takes a base's stage away.
Value stage_entry(const std::vector<StageKind>& all) {
  Value::List kinds, cases;
  for (const StageKind& kind : all) {
    if (kind_of_section(kind.section) != nullptr) continue;
    kinds.emplace_back(kind.kind);
    cases.push_back(when("stage", {kind.kind}, reference("stage-" + kind.kind)));
  }
  const Value full_name = Value::map({{"type", "string"}, {"pattern", "^[^:]+:[^:]+$"}});  // of a plugin's
  const Value stage = Value::map({{"anyOf", Value::list({Value::map({{"enum", std::move(kinds)}}), full_name})},
                                  {"description", "the kind of the stage"}});
  return Value::map({{"type", Value::list({"object", "null"})},
                     {"properties", Value::map({{"stage", stage}})},
                     {"allOf", std::move(cases)}});
}

Value section(const std::string& doc, Value entry) {
  return Value::map({{"type", Value::list({"object", "null"})},
                     {"description", doc},
                     {"propertyNames", Value::map({{"pattern", "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"}})},
                     {"additionalProperties", std::move(entry)}});
}

// In each, null takes away what a base says; an arm that is null changes nothing.
Value sweep() {
  const auto map_of = [](Value entry) {
    return Value::map({{"type", Value::list({"object", "null"})}, {"additionalProperties", std::move(entry)}});
  };
  const Value lists = map_of(Value::map({{"type", Value::list({"array", "null"})}}));
  const Value arms = map_of(Value::map({{"type", Value::list({"object", "null"})}}));
  Value keys = Value::map({{"seeds", list_of(typed("integer"))},
                           {"grid", lists},
                           {"zip", lists},
                           {"list", arms},
                           {"until", list_of(typed("string"))},
                           {"baseline", typed("string")},
                           {"published", typed("object")}});
  for (auto& [name, schema] : keys.as_map()) {  // null takes away what a base says
    schema = Value::map({{"anyOf", Value::list({schema, typed("null")})}});
  }
  return keys;
}

// What must be there unless a base provides it.
Value without_base() {
  const auto entries_with = [](const char* key) {
    return Value::map({{"additionalProperties", Value::map({{"required", Value::list({key})}})}});
  };
  return Value::map(
      {{"properties", Value::map({{"stages", entries_with("stage")}, {"datasets", entries_with("source")}})}});
}

}  // namespace

Value recipe_schema(const Registry& registry) {
  Value definitions = Value::map();
  for (const std::string& kind : component_kinds(registry)) add_component_kind(definitions, registry, kind);
  const std::vector<StageKind> kinds = all_kinds(registry);
  for (const StageKind& kind : kinds) {
    const bool own_section = kind_of_section(kind.section) != nullptr;
    Value entry = object(kind.params);
    if (own_section) {
      entry.as_map().erase(std::remove_if(entry.as_map().begin(), entry.as_map().end(),
                                          [](const Value::Entry& e) { return e.key == "required"; }),
                           entry.as_map().end());
      entry.set("type", Value::list({"object", "null"}));
    } else {
      entry.find("properties")->set("stage", Value::map({{"const", kind.kind}}));
    }
    entry.set("description", kind.doc);
    definitions.set("stage-" + kind.kind, std::move(entry));
  }

  Value properties = Value::map();
  for (const ParamInfo& info : recipe_params()) {
    if (const StageKind* only = kind_of_section(info.name)) {
      properties.set(info.name, section(info.doc, reference("stage-" + only->kind)));
    } else if (info.name == "stages") {
      properties.set(info.name, section(info.doc, stage_entry(kinds)));
    } else if (info.name == "sweep") {
      properties.set(info.name, Value::map({{"type", Value::list({"object", "null"})},
                                            {"description", info.doc},
                                            {"properties", sweep()},
                                            {"additionalProperties", false}}));
    } else {
      properties.set(info.name, schema_of(info));
    }
  }
  return Value::map({{"$schema", "http://json-schema.org/draft-07/schema#"},
                     {"title", "Plumbline recipe"},
                     {"type", "object"},
                     {"required", Value::list({"name"})},
                     {"properties", std::move(properties)},
                     {"additionalProperties", false},
                     {"if", Value::map({{"not", Value::map({{"required", Value::list({"base"})}})}})},
                     {"then", without_base()},
                     {"definitions", std::move(definitions)}});
}

}  // namespace plumb
