// A PEFT adapter's folder, its tensors sorted by what they do, and what it makes of the base before that has any weight.
//
//   SavedAdapter adapter = read_saved_adapter(folder);
//   fit_base({&adapter}, base, declare);     // saved heads and tables, more rows, a head that is tied no more
//   load_adapter(model, adapter, how);       // load_adapter.h: A and B
//
// Thread contract: [setup].
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "framework/core/artifacts/adapter_config.h"
#include "framework/engine/modeling/safetensors.h"
#include "plumb/tensor/parameters.h"

namespace plumb {

struct SavedAdapter {
  struct Layer {
    std::string module;           // its name there, which patterns of the configuration mean
    std::string a, b, magnitude;  // names of the tensors in the file; empty: there is none
  };
  AdapterConfig config;
  std::filesystem::path file;  // adapter_model.safetensors
  SafetensorsFile tensors;
  std::map<std::string, Layer> linears, tables;  // by module: lora_A and lora_B, lora_embedding_A and lora_embedding_B
  // Saved whole (modules_to_save, save_embedding_layers, bias: all): the base's name of a parameter, and the file's.
  std::map<std::string, std::string> whole;

  // Whether weights below it become others: saved modules other than the reward head `head`, adapted tables, PiSSA.
  [[nodiscard]] bool changes_weights(const std::string& head) const;
  [[nodiscard]] Error wrong(const std::string& what) const;  // Error(data) that names the file
};

// Error(data) for a key or a tensor that is not computed here, by its name.
SavedAdapter read_saved_adapter(const std::filesystem::path& folder);

struct BaseWeights {
  Value config;  // config.json
  std::map<std::string, at::Tensor> tensors;
  std::string head;     // layer of the reward head, reward_head.h
  bool reward = false;  // opened as a reward model
};

// Puts what the adapters, from the lowest to the top, have saved whole among the base's tensors and makes config.json
// fit: vocab_size when tables were resized, and no tie_word_embeddings when an adapter changes head and table apart, as
// PEFT's wrappers do. The adapters' modules get the base's names (transformers 5 calls embed_out of GPT-NeoX lm_head).
// `declare` makes the parameters of a configuration. Error(data) for what does not belong to the base, or does not fit.
void fit_base(const std::vector<SavedAdapter*>& adapters, BaseWeights& base,
              const std::function<std::shared_ptr<Parameters>(const Value&)>& declare);

}  // namespace plumb
