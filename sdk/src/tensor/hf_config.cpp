#include "plumb/tensor/hf_config.h"

#include <cmath>

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

namespace {

[[noreturn]] void wrong_rope(const std::string& what) {
  throw Error(ErrorCode::data, "config.json: " + what);
}

double needed(const HfConfig& rope, const char* key, const std::string& type) {
  if (!rope.has(key)) wrong_rope("rope_type \"" + type + "\" needs \"" + key + "\"");
  const double value = rope.real(key, 0);
  if (!(value > 0)) wrong_rope(std::string("\"") + key + "\" of rope_type \"" + type + "\" must be above 0");
  return value;
}

// As Python's `or`: 0 counts as absent.
double set_or(const HfConfig& rope, const char* key, double fallback) {
  const double value = rope.real(key, 0);
  return value == 0 ? fallback : value;
}

void read_llama3(const HfConfig& rope, RopeSettings& out) {
  out.low_frequency_factor = needed(rope, "low_freq_factor", out.type);
  out.high_frequency_factor = needed(rope, "high_freq_factor", out.type);
  out.original_context = needed(rope, "original_max_position_embeddings", out.type);
  if (out.high_frequency_factor <= out.low_frequency_factor)
    wrong_rope("high_freq_factor must be above low_freq_factor");
}

// arXiv:2309.00071; m(scale) = 0.1 m ln(scale) + 1 is the paper's 1/√t.
void read_yarn(const HfConfig& config, const HfConfig& rope, RopeSettings& out) {
  out.original_context = set_or(rope, "original_max_position_embeddings", config.real("max_position_embeddings", 2048));
  out.beta_fast = set_or(rope, "beta_fast", 32);
  out.beta_slow = set_or(rope, "beta_slow", 1);
  out.truncate = rope.flag("truncate", true);
  const auto magnitude = [&](double m) { return out.factor <= 1 ? 1.0 : 0.1 * m * std::log(out.factor) + 1; };
  const double one = rope.real("mscale", 0), all = rope.real("mscale_all_dim", 0);
  const double usual = one != 0 && all != 0 ? magnitude(one) / magnitude(all) : magnitude(1);
  out.attention_factor = rope.real("attention_factor", usual);
  if (!(out.original_context > 0) || !(out.beta_fast > 0) || !(out.beta_slow > 0) || !(out.theta > 1)) {
    wrong_rope("rope_type \"yarn\" needs a context, beta_fast and beta_slow above 0, and a theta above 1");
  }
}

}  // namespace

RopeSettings read_rope(const HfConfig& config, double default_fraction) {
  const HfConfig rope = config.section(config.has("rope_parameters") ? "rope_parameters" : "rope_scaling");
  RopeSettings out;
  out.theta = rope.real("rope_theta", config.real("rope_theta", config.real("rotary_emb_base", 10000)));
  out.fraction = rope.real("partial_rotary_factor",
                           config.real("partial_rotary_factor", config.real("rotary_pct", default_fraction)));
  out.type = rope.text("rope_type", rope.text("type", "default"));
  if (!(out.theta > 0) || !(out.fraction > 0) || out.fraction > 1) {
    wrong_rope("rotary settings out of range: theta must be above 0, the fraction in (0, 1]");
  }
  if (out.type == "default") return out;
  if (out.type != "linear" && out.type != "dynamic" && out.type != "llama3" && out.type != "yarn") {
    wrong_rope("rope_type \"" + out.type + "\" is not computed here; known are default, linear, dynamic, llama3, yarn");
  }
  out.factor = needed(rope, "factor", out.type);
  if (out.type == "llama3") read_llama3(rope, out);
  if (out.type == "yarn") read_yarn(config, rope, out);
  return out;
}

}  // namespace v1
}  // namespace plumb
