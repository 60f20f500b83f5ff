#include "plumb/tensor/decoder_model.h"

#include <ATen/ops/embedding.h>

#include "plumb/error.h"
#include "plumb/tensor/layers.h"

namespace plumb {
inline namespace v1 {

DecoderModel::DecoderModel(ModelPlan& plan, DecoderLayout layout)
    : layout_(std::move(layout)),
      headless_(!plan.head),
      embedding_(plan.parameters.embedding(layout_.embedding, layout_.shape.vocabulary, layout_.shape.hidden,
                                           layout_.init_std)) {}

DecoderModel::~DecoderModel() = default;

void DecoderModel::declare_head(ModelPlan& plan) {
  if (!plan.head) return;
  head_ = layout_.tied ? &plan.parameters.tied(layout_.head, layout_.embedding)
                       : &plan.parameters.linear(layout_.head, layout_.shape.hidden, layout_.shape.vocabulary, false,
                                                 layout_.init_std);
}

at::Tensor DecoderModel::embed(const TokenBatch& batch) {
  return at::embedding(embedding_, batch.ids);
}

at::Tensor DecoderModel::hidden(const TokenBatch& batch) {
  const DecoderPass pass{batch.attention, layout_.rotary ? layout_.rotary->angles(batch.positions) : RotaryAngles{},
                         batch.positions};
  const at::Tensor x = run_layers(layout_.shape.layers, embed(batch),
                                  [this, pass](std::int64_t i, const at::Tensor& in) { return layer(i, in, pass); });
  return norm(headless_ ? x.to(at::kFloat) : x);
}

at::Tensor DecoderModel::logits(const at::Tensor& hidden) {
  if (head_ == nullptr) {
    throw Error(ErrorCode::run_failed, headless_ ? "this model was opened without its LM head"
                                                 : "this decoder has not declared its head (declare_head)");
  }
  return (*head_)(hidden);
}

std::string DecoderModel::architecture(bool classifier) const {
  return layout_.family + (classifier ? "ForSequenceClassification" : "ForCausalLM");
}

}  // namespace v1
}  // namespace plumb
