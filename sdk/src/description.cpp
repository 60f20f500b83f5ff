// Parameter declarations as data and back. Only what differs from a plain parameter is written.
#include <array>

#include "plumb/params.h"
#include "string_lists.h"

namespace plumb {
inline namespace v1 {
namespace {

struct TypeName {
  ParamType type;
  const char* name;
};
constexpr std::array kTypeNames{TypeName{ParamType::boolean, "boolean"},
                                TypeName{ParamType::integer, "integer"},
                                TypeName{ParamType::real, "real"},
                                TypeName{ParamType::string, "string"},
                                TypeName{ParamType::path, "path"},
                                TypeName{ParamType::choice, "choice"},
                                TypeName{ParamType::strings, "strings"},
                                TypeName{ParamType::integers, "integers"},
                                TypeName{ParamType::reals, "reals"},
                                TypeName{ParamType::component, "component"},
                                TypeName{ParamType::components, "components"},
                                TypeName{ParamType::stage_input, "stage-input"},
                                TypeName{ParamType::stage_inputs, "stage-inputs"},
                                TypeName{ParamType::value, "value"}};

ParamType type_of(const std::string& name) {
  for (const TypeName& known : kTypeNames) {
    if (name == known.name) return known.type;
  }
  throw Error(ErrorCode::data, "\"" + name + "\" is no parameter type");
}

bool flag(const Value& value, std::string_view key) {
  const Value* found = value.find(key);
  return found != nullptr && found->as_bool();
}

std::string text(const Value& value, std::string_view key) {
  const Value* found = value.find(key);
  return found == nullptr ? std::string() : found->as_string();
}

Value describe_one(const ParamInfo& info) {
  Value out = Value::map({{"name", info.name}, {"type", param_type_name(info.type)}, {"doc", info.doc}});
  if (info.required) out.set("required", true);
  if (info.nullable) out.set("nullable", true);
  if (!info.required) out.set("default", info.default_value);
  if (info.min) out.set(info.min_open ? "above" : "at_least", *info.min);
  if (info.max) out.set(info.max_open ? "below" : "at_most", *info.max);
  if (!info.unit.empty()) out.set("unit", info.unit);
  if (!info.choices.empty()) out.set("choices", detail::list_of(info.choices));
  if (!info.component_kind.empty()) out.set("component_kind", info.component_kind);
  if (!info.accepts.empty()) out.set("accepts", detail::list_of(info.accepts));
  if (!info.fields.empty()) out.set("fields", describe(info.fields));
  return out;
}

ParamInfo parse_one(const Value& value) {
  ParamInfo out;
  out.name = value.at("name").as_string();
  out.type = type_of(value.at("type").as_string());
  out.doc = value.at("doc").as_string();
  out.required = flag(value, "required");
  out.nullable = flag(value, "nullable");
  if (const Value* found = value.find("default")) out.default_value = *found;
  if (const Value* found = value.find("at_least")) out.min = found->as_double();
  if (const Value* found = value.find("above")) out.min = found->as_double(), out.min_open = true;
  if (const Value* found = value.find("at_most")) out.max = found->as_double();
  if (const Value* found = value.find("below")) out.max = found->as_double(), out.max_open = true;
  out.unit = text(value, "unit");
  out.choices = detail::texts_of(value, "choices");
  out.component_kind = text(value, "component_kind");
  out.accepts = detail::texts_of(value, "accepts");
  if (const Value* found = value.find("fields")) out.fields = parse_description(*found);
  return out;
}

}  // namespace

const char* param_type_name(ParamType type) {
  for (const TypeName& known : kTypeNames) {
    if (known.type == type) return known.name;
  }
  return "value";
}

Value describe(const std::vector<ParamInfo>& infos) {
  Value::List out;
  for (const ParamInfo& info : infos) out.push_back(describe_one(info));
  return out;
}

std::vector<ParamInfo> parse_description(const Value& value) {
  std::vector<ParamInfo> out;
  for (const Value& item : value.as_list()) out.push_back(parse_one(item));
  return out;
}

}  // namespace v1
}  // namespace plumb
