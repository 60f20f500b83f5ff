// What decoders have in common: embeddings, layers one after another with rotary positions, a norm, a head. A decoder
// gives its layers and its norm; the loop over them stands in this library, and not in the plugin.
//
//   class Small final : public plumb::DecoderModel {
//    public:
//     Small(plumb::ModelPlan& plan, plumb::DecoderLayout layout)
//         : DecoderModel(plan, layout), norm_(plan.parameters.vector("model.norm.weight", layout.shape.hidden, 1)) {
//       declare_head(plan);
//     }
//
//    protected:
//     at::Tensor layer(std::int64_t index, const at::Tensor& x, const plumb::DecoderPass& pass) override {
//       const at::Tensor heads = plumb::rotate(x.view({x.size(0), -1, shape().head_dim}), pass.angles);
//       return x + pass.attention.attend(index, heads, heads, heads, {}).flatten(1);
//     }
//     at::Tensor norm(const at::Tensor& x) override { return x * norm_.to(x.scalar_type()); }
//
//    private:
//     const at::Tensor& norm_;
//   };
//
// A layer reads and writes hidden states alone and keeps nothing between calls: it may be run again for the gradient,
// after `hidden` has returned (plumb/tensor/layers.h).
// Thread contract: that of Model.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plumb/tensor/model.h"
#include "plumb/tensor/rotary.h"

namespace plumb {
inline namespace v1 {

struct DecoderLayout {
  ModelShape shape;
  std::string family;  // of HF's architectures: "Llama" for LlamaForCausalLM and LlamaForSequenceClassification
  std::string embedding = "model.embed_tokens.weight", head = "lm_head";  // HF's names
  std::vector<std::string> lora_targets{"q_proj", "v_proj"};              // PEFT's default
  bool tied = false;                                                      // the head is the embedding's table
  double init_std = 0.02;                                                 // of both
  std::optional<Rotary> rotary;
};

// One forward pass, as a layer sees it.
struct DecoderPass {
  Attention& attention;
  RotaryAngles angles;   // of the batch's tokens; undefined without rotary positions
  at::Tensor positions;  // [tokens] int64
};

class DecoderModel : public Model {
 public:
  ~DecoderModel() override;
  [[nodiscard]] ModelShape shape() const final { return layout_.shape; }
  // The embeddings, every layer in order, the norm: in float32 without a head, since a reward head reads it.
  [[nodiscard]] at::Tensor hidden(const TokenBatch& batch) final;
  // Throws Error(run_failed) for a model that was opened without its head.
  [[nodiscard]] at::Tensor logits(const at::Tensor& hidden) final;
  [[nodiscard]] std::vector<std::string> default_lora_targets() const final { return layout_.lora_targets; }
  [[nodiscard]] std::string architecture(bool classifier) const final;

 protected:
  // Declares the embedding. The decoder then declares layers and norm, in the order in which they are to be saved, and
  // at the end the head, which is left out where the plan asks for none.
  DecoderModel(ModelPlan& plan, DecoderLayout layout);
  void declare_head(ModelPlan& plan);

  // [tokens, hidden] of the batch's ids; the table's rows unless a decoder adds to them.
  [[nodiscard]] virtual at::Tensor embed(const TokenBatch& batch);
  // Layer `index` from 0: x [tokens, hidden] -> the same shape.
  [[nodiscard]] virtual at::Tensor layer(std::int64_t index, const at::Tensor& x, const DecoderPass& pass) = 0;
  // The norm after the last layer. x may be float32 while the weights are not.
  [[nodiscard]] virtual at::Tensor norm(const at::Tensor& x) = 0;

 private:
  DecoderLayout layout_;
  bool headless_;
  const at::Tensor& embedding_;
  const Linear* head_ = nullptr;
};

}  // namespace v1
}  // namespace plumb
