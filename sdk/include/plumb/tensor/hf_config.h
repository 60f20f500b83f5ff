// Reading Hugging Face's config.json in a model plugin: typed access with defaults and clear errors.
//
//   const plumb::HfConfig config(plan.config);
//   const std::int64_t hidden = config.size("hidden_size");                      // required, positive
//   const double epsilon = config.real("rms_norm_eps", 1e-6);                    // HF's default when absent or null
//
// Thread contract: plain reads of a value that outlives the object.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "plumb/value.h"

namespace plumb {
inline namespace v1 {

class HfConfig {
 public:
  explicit HfConfig(const Value& config) : config_(&config) {}

  // A positive whole number. Error(data) names the key, what was found and what is wanted.
  [[nodiscard]] std::int64_t size(const char* key) const;
  [[nodiscard]] std::int64_t size(const char* key, std::int64_t fallback) const;
  [[nodiscard]] double real(const char* key, double fallback) const;
  [[nodiscard]] bool flag(const char* key, bool fallback) const;
  [[nodiscard]] std::string text(const char* key, const std::string& fallback) const;

  // Error(data) unless `key` is absent or has this value: for features that a plugin does not implement.
  void expect(const char* key, const std::string& only) const;

  // The map under `key`, or an empty one.
  [[nodiscard]] HfConfig section(const char* key) const;
  [[nodiscard]] bool has(const char* key) const { return find(key) != nullptr; }

 private:
  [[nodiscard]] const Value* find(const char* key) const;  // null also for a null value
  const Value* config_;
};

// Rotary settings in the spelling of transformers 5 (`rope_parameters`) or of transformers 4 (`rope_theta`,
// `rope_scaling`; GPT-NeoX: `rotary_emb_base`, `rotary_pct`), with the defaults of transformers 4.57's
// modeling_rope_utils. `dynamic` turns as `default` does up to max_position_embeddings, beyond which no sequence goes.
struct RopeSettings {
  double theta = 10000;
  double fraction = 1;           // of each head's dimensions that turn
  std::string type = "default";  // default, linear, dynamic, llama3 or yarn; others are Error(data)
  double factor = 1;
  double low_frequency_factor = 1, high_frequency_factor = 4;  // llama3
  double original_context = 8192;                              // llama3, yarn: tokens
  double beta_fast = 32, beta_slow = 1;                        // yarn: turns within original_context
  bool truncate = true;                                        // yarn: whole dimensions at both ends of the ramp
  double attention_factor = 1;                                 // yarn: of cos and sin
};
RopeSettings read_rope(const HfConfig& config, double default_fraction = 1);

}  // namespace v1
}  // namespace plumb
