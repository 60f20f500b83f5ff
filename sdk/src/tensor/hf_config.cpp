#include "plumb/tensor/hf_config.h"

#include "plumb/error.h"

namespace plumb {
inline namespace v1 {
namespace {

[[noreturn]] void wrong(const char* key, const Value& found, const std::string& wanted) {
  throw Error(ErrorCode::data, std::string("config.json: \"") + key + "\" is " + to_json(found) + "; wanted " + wanted);
}

}  // namespace

const Value* HfConfig::find(const char* key) const {
  const Value* value = config_->is_map() ? config_->find(key) : nullptr;
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::int64_t HfConfig::size(const char* key) const {
  const Value* value = find(key);
  if (value == nullptr) throw Error(ErrorCode::data, std::string("config.json: \"") + key + "\" is missing");
  if (value->type() != Value::Type::integer || value->as_int() <= 0) wrong(key, *value, "a positive whole number");
  return value->as_int();
}

std::int64_t HfConfig::size(const char* key, std::int64_t fallback) const {
  return has(key) ? size(key) : fallback;
}

double HfConfig::real(const char* key, double fallback) const {
  const Value* value = find(key);
  if (value == nullptr) return fallback;
  if (value->type() != Value::Type::integer && value->type() != Value::Type::real) wrong(key, *value, "a number");
  return value->as_double();
}

bool HfConfig::flag(const char* key, bool fallback) const {
  const Value* value = find(key);
  if (value == nullptr) return fallback;
  if (value->type() != Value::Type::boolean) wrong(key, *value, "true or false");
  return value->as_bool();
}

std::string HfConfig::text(const char* key, const std::string& fallback) const {
  const Value* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_string()) wrong(key, *value, "a string");
  return value->as_string();
}

void HfConfig::expect(const char* key, const std::string& only) const {
  if (text(key, only) != only) wrong(key, *find(key), "\"" + only + "\", the only one that this model plugin computes");
}

HfConfig HfConfig::section(const char* key) const {
  static const Value empty = Value::map();
  const Value* value = find(key);
  if (value == nullptr) return HfConfig(empty);
  if (!value->is_map()) wrong(key, *value, "a map");
  return HfConfig(*value);
}

RopeSettings read_rope(const HfConfig& config, double default_fraction) {
  const HfConfig rope = config.section(config.has("rope_parameters") ? "rope_parameters" : "rope_scaling");
  RopeSettings out;
  out.theta = rope.real("rope_theta", config.real("rope_theta", config.real("rotary_emb_base", 10000)));
  out.fraction = rope.real("partial_rotary_factor",
                           config.real("partial_rotary_factor", config.real("rotary_pct", default_fraction)));
  out.type = rope.text("rope_type", rope.text("type", "default"));
  if (out.type != "default" && out.type != "linear" && out.type != "llama3") {
    throw Error(ErrorCode::data,
                "config.json: rope_type \"" + out.type + "\" is not known; known are default, linear, llama3");
  }
  out.factor = rope.real("factor", 1);
  out.low_frequency_factor = rope.real("low_freq_factor", 1);
  out.high_frequency_factor = rope.real("high_freq_factor", 4);
  out.original_context = rope.real("original_max_position_embeddings", 8192);
  if (!(out.theta > 0) || !(out.factor > 0) || !(out.fraction > 0) || out.fraction > 1) {
    throw Error(ErrorCode::data,
                "config.json: rotary settings out of range: theta and factor must be above 0, the fraction in (0, 1]");
  }
  return out;
}

}  // namespace v1
}  // namespace plumb
