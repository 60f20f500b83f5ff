// A model architecture: token ids in, hidden states and logits out.
//
//   class Llama final : public plumb::Model {
//    public:
//     struct Settings {};                                // model plugins read HF's config.json instead
//     static plumb::Params<Settings> params();
//     Llama(const Settings&, plumb::ModelPlan& plan);    // reads plan.config, declares plan.parameters
//     at::Tensor hidden(const plumb::TokenBatch& batch) override;
//     at::Tensor logits(const at::Tensor& hidden) override;
//   };                                                   // and shape, default_lora_targets, architecture
//
// Register it with config.json's model_type: `registrar.add<Llama>("llama2").claims({"llama"})`.
// The framework does the rest: loading and saving HF folders, LoRA, freezing, KV caches, batching, the reward head
// `score`, quantised weights.
// Thread contract: construction is [setup]; shape is [any]; the rest is [lane].
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plumb/component.h"
#include "plumb/host.h"
#include "plumb/params.h"
#include "plumb/tensor/attention.h"
#include "plumb/tensor/parameters.h"

namespace plumb {
inline namespace v1 {

// What the framework must know to allocate caches and plan memory.
struct ModelShape {
  std::int64_t layers = 0, hidden = 0, heads = 0, kv_heads = 0, head_dim = 0;
  std::int64_t vocabulary = 0;
  std::int64_t context = 0;  // longest sequence, in tokens
};

struct ModelPlan {
  const Value& config;     // HF's config.json
  Parameters& parameters;  // to be declared
  bool head = true;        // false: the backbone of a reward model, declare no LM head
};

class Model : public Component {
 public:
  static constexpr const char* kind = "model/1";
  using Plan = ModelPlan;
  ~Model() override;

  [[nodiscard]] virtual ModelShape shape() const = 0;

  // [lane] Hidden states after the final norm, [tokens, hidden].
  [[nodiscard]] virtual at::Tensor hidden(const TokenBatch& batch) = 0;

  // [lane] hidden [n, hidden] -> logits [n, vocabulary]. Called on just the rows that need a prediction.
  [[nodiscard]] virtual at::Tensor logits(const at::Tensor& hidden) = 0;

  // [lane] Names of linear layers that LoRA adapts when a recipe names none (PEFT's default for this architecture),
  // as suffixes: {"q_proj", "v_proj"}.
  [[nodiscard]] virtual std::vector<std::string> default_lora_targets() const = 0;

  // [lane] HF architecture names for config.json: language model and sequence classifier.
  [[nodiscard]] virtual std::string architecture(bool classifier) const = 0;
};

}  // namespace v1
}  // namespace plumb
