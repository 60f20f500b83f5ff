// A small attention model with the defects of models.
#include <ATen/TensorOperators.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/tanh.h>
#include <plumb/error.h>
#include <plumb/plugin.h>
#include <plumb/tensor/hf_config.h>
#include <plumb/tensor/layers.h>
#include <plumb/tensor/model.h>

#include <cmath>

#include "defect.h"

using defect::broken;

namespace {

class Small final : public plumb::Model {
 public:
  struct Settings {};
  static plumb::Params<Settings> params() { return plumb::Params<Settings>{"one layer of attention"}; }

  Small(const Settings&, plumb::ModelPlan& plan)
      : config_(plan.config),
        hidden_(config_.size("hidden_size")),
        vocabulary_(config_.size("vocab_size")),
        embedding_(plan.parameters.embedding("embed.weight", vocabulary_, hidden_)),
        places_(plan.parameters.embedding("place.weight", config_.size("max_position_embeddings"), hidden_)),
        mix_(plan.parameters.linear("mix", hidden_, hidden_)),
        head_(plan.head || broken("needs-head") ? &plan.parameters.linear("head", hidden_, vocabulary_) : nullptr),
        has_head_(plan.head) {
    if (broken("unused-parameter")) plan.parameters.vector("spare.weight", 3, 0.5);
  }

  [[nodiscard]] plumb::ModelShape shape() const override {
    return {
        1, broken("wrong-shape") ? hidden_ + 1 : hidden_, 4, broken("shape-heads") ? 3 : 4, hidden_ / 4, vocabulary_,
        64};
  }

  [[nodiscard]] at::Tensor hidden(const plumb::TokenBatch& batch) override {
    if (broken("needs-head") && !has_head_) throw std::logic_error("a model without a head");
    at::Tensor places = batch.positions;
    if (broken("cache-positions")) places = places - places.select(0, 0);
    at::Tensor table = embedding_;
    if (broken("keeps-weights")) {
      if (!kept_.defined()) kept_ = embedding_.detach().clone();
      table = embedding_ - embedding_.detach() + kept_;
    }
    at::Tensor x = at::embedding(table, batch.ids) + at::embedding(places_, places);
    if (broken("sees-future")) x = x + 0.1 * x.mean(0, true);
    if (broken("sees-neighbours")) x = x + 0.1 * at::cumsum(x, 0);
    inside_ = true;
    const auto layer = [this, &attention = batch.attention](std::int64_t, const at::Tensor& in) {
      const at::Tensor heads = mix_(in).view({in.size(0), 4, -1});
      const at::Tensor out = in + attention.attend(0, heads, heads, heads, {}).flatten(1);
      return broken("layer-needs-hidden") && !inside_ ? in : out;
    };
    at::Tensor y = plumb::run_layers(1, x, layer);
    inside_ = false;
    if (broken("model-gradient")) y = y.detach() + 0.5 * (y - y.detach());
    if (broken("model-nan")) y = y + (batch.ids.size(0) > 15 ? std::nan("") : 0.0);
    if (broken("model-float")) return at::tanh(y).to(at::kFloat);
    return at::tanh(y);
  }

  [[nodiscard]] at::Tensor logits(const at::Tensor& hidden) override {
    if (broken("model-float")) return (*head_)(hidden.to(head_->weight.scalar_type())).to(at::kFloat);
    return (*head_)(hidden);
  }
  [[nodiscard]] std::vector<std::string> default_lora_targets() const override {
    return {broken("lora-target") ? "q_proj" : "mix"};
  }
  [[nodiscard]] std::string architecture(bool classifier) const override {
    return classifier ? "SmallForSequenceClassification" : "SmallForCausalLM";
  }

 private:
  plumb::HfConfig config_;
  std::int64_t hidden_, vocabulary_;
  const at::Tensor &embedding_, &places_;
  const plumb::Linear& mix_;
  const plumb::Linear* head_;
  bool has_head_;
  at::Tensor kept_;
  bool inside_ = false;
};

}  // namespace

PLUMB_PLUGIN(registrar, "test.broken-model", "1.0.0", "Apache-2.0", "a model with a defect of its file's name") {
  auto added = registrar.add<Small>("small");
  if (!broken("claims-nothing")) added.claims({"small"});
}
