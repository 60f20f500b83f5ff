// A loaded model folder: architecture, weights, tokenizer, chat format, optionally a reward head or a LoRA adapter.
//
//   LanguageModel policy = open_language_model(folder, registry, host, {});
//   save_language_model(policy, "out/");      // HF folder: config.json, model.safetensors, tokenizer files, plumb.json
//
// Folders are Hugging Face's. A folder with adapter_config.json is a PEFT adapter over base_model_name_or_path
// (relative paths start at the folder; artifacts/adapter_folder.h). plumb.json beside config.json holds what HF has no
// place for: {"chat_format", "tokenizer"; of a reward adapter "pad_token_id"}. Thread contract: opening is [setup]; the
// object is [lane].
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/components/made.h"
#include "framework/core/data/chat_format.h"
#include "framework/result.h"
#include "plumb/placement.h"
#include "plumb/random.h"
#include "plumb/tensor/model.h"
#include "plumb/tokenizer.h"

namespace plumb {

class Registry;

struct LoraSettings {
  std::int64_t r = 8;
  double alpha = 16;
  double dropout = 0;
  std::vector<std::string> targets;  // suffixes of linear names; empty: the model's default
};

struct LanguageModel {
  std::string architecture;  // component name, e.g. "llama2"
  Value config;              // config.json
  std::unique_ptr<Parameters> parameters;
  Made<Model> model;                        // made after, destroyed before the parameters
  std::shared_ptr<Tokenizer> tokenizer;     // null when the folder has none
  const ChatFormat* chat_format = nullptr;  // null when the folder names none
  std::string tokenizer_component;          // "byte-bpe"
  std::filesystem::path tokenizer_folder;
  std::vector<TokenId> ends;            // what its files say ends an answer (end_tokens.h)
  std::filesystem::path folder;         // where it was opened
  const Linear* score = nullptr;        // reward head [1, hidden], float32 (reward_head.h says which layer)
  std::optional<LoraSettings> lora;     // set while an adapter is attached
  bool gradient_checkpointing = false;  // activations of layers are computed again for the gradient, not kept
  // What an adapter that is saved stands on: the whole model below all adapters, or the folder of the topmost one that
  // does not add up. Empty of a model without one.
  std::filesystem::path base_folder;
  bool adds_up = true;  // false while what is attached is more than a sum of products B A (DoRA, PiSSA, saved modules)
  std::shared_ptr<std::deque<Parameter>> adapter;  // its A and B, in the order of the layers; null without one
  // The architecture's constructor once more: for a model without its LM head. Valid while registry and host live.
  std::function<Made<Model>(ModelPlan&)> make_model;

  [[nodiscard]] ModelShape shape() const { return model.call(&Model::shape); }
  [[nodiscard]] std::vector<Parameter*> trainable()
      const;  // requires_grad tensors: all, or the adapter's ("….lora_A.weight")
  [[nodiscard]] std::int64_t parameter_count() const;
  // Where its weights lie, and their type: all of them, but for the head of rewards and adapters in float32.
  [[nodiscard]] at::Device device() const;
  [[nodiscard]] at::ScalarType dtype() const;
  [[nodiscard]] bool quantised() const;
};

struct OpenModel {
  Placement placement;    // int8 weights: linear layers in 8-bit rows (quantised.h), frozen
  bool training = false;  // parameters (or the adapter's) require gradients
  // Fold a PEFT adapter into the weights where that loses nothing, in float32; it stays attached to 16 and 8 bits.
  bool merge_adapter = false;
  bool reward_head = false;  // a reward model: `score` is required, there is no LM head
  bool values = true;  // false: names and shapes, checked against the files' headers; no weight is read (meta tensors)
  bool tokenizer = true;  // false: leave the tokenizer unopened (token ids are all that is used)
};

// Errors (ErrorCode::data) name the file, what was found and what config.json wants: missing or extra tensors, shapes,
// truncated or overlapping safetensors, a tokenizer whose vocabulary exceeds the model's.
LanguageModel open_language_model(const std::filesystem::path& folder, const Registry& registry, Host& host,
                                  const OpenModel& how);

// Gives a model the chat format `name` when its folder names none; an empty name changes nothing. Error(recipe) for one
// that is not known, and where the folder names another.
void choose_chat_format(LanguageModel& model, const std::string& name);

// A new model with random weights drawn from `random` by parameter name (init_std of each parameter).
LanguageModel new_language_model(const std::string& architecture, const Value& config, const Registry& registry,
                                 Host& host, Random random, const OpenModel& how);

// Replaces the LM head by a fresh reward head, normal(0, 1 / (hidden + 1)) as OpenRLHF draws it, with a padding token
// that ends no row (reward_head.h). Parameters require gradients as before.
void add_reward_head(LanguageModel& model, Random random);

// PEFT's initialisation drawn from `random` by layer name. Base weights stop requiring gradients, the reward head's
// goes on (PEFT's modules_to_save). Error(recipe) names a target that no layer has.
void attach_lora(LanguageModel& model, const LoraSettings& settings, Random random);

// A full folder; of a model with an adapter a PEFT folder with the model's base linked as base/ (model_links.h).
// Weights with an adapter folded in are merged_model.h's. Atomic per file.
void save_language_model(const LanguageModel& model, const std::filesystem::path& folder);

}  // namespace plumb
