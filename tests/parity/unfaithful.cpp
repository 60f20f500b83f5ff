// A language model of one attention layer that is right when config.json's `fault` is "none", and otherwise wrong in
// one way that a certificate must find: "company" mixes what else stands in the batch into a token, "future" the token
// after it, "place" counts positions over the batch instead of the sequence.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/roll.h>
#include <plumb/tensor/hf_config.h>
#include <plumb/tensor/model.h>

#include <plumb/plugin.h>

namespace {

class Unfaithful final : public plumb::Model {
 public:
  struct Settings {};
  static plumb::Params<Settings> params() { return plumb::Params<Settings>("a model with a chosen fault", "none"); }

  Unfaithful(const Settings& /*settings*/, plumb::ModelPlan& plan)
      : fault_(plumb::HfConfig(plan.config).text("fault", "none")),
        embedding_(plan.parameters.embedding("embed.weight", kVocabulary, kWidth, 1)),
        query_(plan.parameters.linear("q_proj", kWidth, kWidth, false, 0.3)),
        key_(plan.parameters.linear("k_proj", kWidth, kWidth, false, 0.3)),
        value_(plan.parameters.linear("v_proj", kWidth, kWidth, false, 0.3)),
        head_(plan.parameters.linear("lm_head", kWidth, kVocabulary, false, 0.5)) {}

  [[nodiscard]] plumb::ModelShape shape() const override {
    return {.layers = 1,
            .hidden = kWidth,
            .heads = 2,
            .kv_heads = 2,
            .head_dim = kWidth / 2,
            .vocabulary = kVocabulary,
            .context = 128};
  }

  [[nodiscard]] at::Tensor hidden(const plumb::TokenBatch& batch) override {
    at::Tensor places = batch.positions;
    if (fault_ == "place") places = at::arange(batch.ids.size(0), batch.ids.options());
    at::Tensor x = at::embedding(embedding_, batch.ids);
    x = x + at::cos(places.to(x.scalar_type()) * 0.3).unsqueeze(1);
    if (fault_ == "company") x = x + 0.01 * x.mean(0, true);
    if (fault_ == "future") x = x + 0.01 * at::roll(x, -1, 0);
    const auto heads = [&](const plumb::Linear& layer) { return layer(x).view({x.size(0), 2, kWidth / 2}); };
    return x + batch.attention.attend(0, heads(query_), heads(key_), heads(value_), {}).flatten(1);
  }

  [[nodiscard]] at::Tensor logits(const at::Tensor& hidden) override { return head_(hidden); }
  [[nodiscard]] std::vector<std::string> default_lora_targets() const override { return {"q_proj", "v_proj"}; }
  [[nodiscard]] std::string architecture(bool) const override { return "UnfaithfulForCausalLM"; }

 private:
  static constexpr std::int64_t kVocabulary = 40, kWidth = 32;
  std::string fault_;
  const at::Tensor& embedding_;
  const plumb::Linear &query_, &key_, &value_, &head_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "test.unfaithful", "0.1.0", "Apache-2.0", "a model with a chosen fault") {
  registrar.add<Unfaithful>("unfaithful").claims({"unfaithful"});
}
