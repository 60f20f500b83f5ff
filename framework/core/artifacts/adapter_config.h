// What an adapter_config.json of PEFT (0.17 on) makes of a model, key by key. A key that could change a number and is
// not computed here is refused by its name, an unknown one included unless it is null, false or empty.
//
//   const AdapterConfig config = read_adapter_config(folder).value();
//   double scale = config.scale_of("model.layers.0.self_attn.q_proj", rank);     // alpha / r, alpha / √r
//
// Thread contract: [any] after reading.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "framework/result.h"
#include "plumb/value.h"

namespace plumb {

struct AdapterConfig {
  // What PEFT takes out of the base when it loads the adapter (init_lora_weights): nothing, the principal part of W's
  // singular value decomposition (arXiv:2404.02948), or the leading part of its QR decomposition (arXiv:2406.01775).
  enum class Start { plain, pissa, olora };

  std::filesystem::path file;
  std::int64_t r = 8;
  double alpha = 8, dropout = 0;
  bool root = false;        // use_rslora: alpha / √r, arXiv:2312.03732
  bool magnitudes = false;  // use_dora, arXiv:2402.09353
  bool ties = false;        // ensure_weight_tying
  Start start = Start::plain;
  std::vector<std::string> saved;  // modules_to_save
  Value ranks, alphas;             // maps of patterns to numbers; the first that matches counts
  Value targets, excluded, layers, layers_pattern;

  // Of a module's name without "base_model.model.". Throws Error(data) where matching an expression would not end.
  [[nodiscard]] std::int64_t rank_of(const std::string& module) const;
  [[nodiscard]] double scale_of(const std::string& module, std::int64_t rank) const;
  // Whether PEFT puts an adapter on it.
  [[nodiscard]] bool chooses(const std::string& module) const;
  [[nodiscard]] bool saves(const std::string& module) const;  // by modules_to_save

  [[nodiscard]] Error refused(const std::string& what) const;  // Error(data) that names the file
};

// Error(data) for a file that is missing or damaged, and for what is not computed here.
Result<AdapterConfig> read_adapter_config(const std::filesystem::path& folder);

}  // namespace plumb
