// What adapter_config.json of a PEFT folder says, and which of it is computed here.
//
//   const AdapterConfig config = read_adapter_config(folder);
//   double scale = config.layers.scale("model.layers.0.self_attn.q_proj");
//
// Thread contract: [any].
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/engine/modeling/language_model.h"
#include "framework/result.h"
#include "plumb/value.h"

namespace plumb {

// Ranks and alphas that PEFT gives to some layers: by a layer's whole name, its end, or, with ^ before it, the whole alone.
// Source: get_pattern_key of PEFT.
class LayerPatterns {
 public:
  // Error(data) for an expression and for what is no number above 0.
  LayerPatterns(const Value& config, const std::filesystem::path& folder);
  [[nodiscard]] std::int64_t rank(const std::string& layer) const;
  // Of B A, in a layer of that rank: alpha / r, or alpha / √r where ranks are stabilised.
  [[nodiscard]] double scale(const std::string& layer) const;

 private:
  using Pattern = std::vector<std::pair<std::string, double>>;
  static Pattern read(const Value& config, const char* key, const std::filesystem::path& folder);
  static std::optional<double> found(const Pattern& pattern, const std::string& layer);

  Pattern ranks_, alphas_;
  double alpha_ = 1;
  std::int64_t r_ = 1;
  bool root_ = false;
};

struct AdapterConfig {
  LoraSettings lora;  // targets are those of the tensors, not of the file
  LayerPatterns layers;
};

// Error(data) names the file and the key that is not computed here.
AdapterConfig read_adapter_config(const std::filesystem::path& folder);

}  // namespace plumb
