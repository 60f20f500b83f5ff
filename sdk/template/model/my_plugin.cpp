// my-plugin: a small decoder. Each layer normalises, attends with rotary positions, then passes through a gated MLP.
// Parameters have the names that they get in model.safetensors.
#include <ATen/TensorOperators.h>
#include <ATen/ops/embedding.h>
#include <plumb/error.h>
#include <plumb/plugin.h>
#include <plumb/tensor/fused.h>
#include <plumb/tensor/hf_config.h>
#include <plumb/tensor/model.h>
#include <plumb/tensor/rotary.h>

namespace {

constexpr double kEpsilon = 1e-6;

plumb::ModelShape read_shape(const plumb::HfConfig& config) {
  plumb::ModelShape s;
  s.layers = config.size("num_hidden_layers");
  s.hidden = config.size("hidden_size");
  s.heads = s.kv_heads = config.size("num_attention_heads");
  s.vocabulary = config.size("vocab_size");
  s.context = config.size("max_position_embeddings", 2048);
  if (s.hidden % s.heads != 0) {
    throw plumb::Error(plumb::ErrorCode::data, "config.json: hidden_size is no multiple of num_attention_heads");
  }
  s.head_dim = s.hidden / s.heads;
  return s;
}

struct Layer {
  Layer(plumb::Parameters& p, const std::string& name, const plumb::ModelShape& s, std::int64_t inner)
      : norm(p.vector(name + ".norm.weight", s.hidden, 1)),
        query(p.linear(name + ".q_proj", s.hidden, s.hidden)),
        key(p.linear(name + ".k_proj", s.hidden, s.hidden)),
        value(p.linear(name + ".v_proj", s.hidden, s.hidden)),
        output(p.linear(name + ".o_proj", s.hidden, s.hidden)),
        mlp_norm(p.vector(name + ".mlp_norm.weight", s.hidden, 1)),
        gate(p.linear(name + ".gate_proj", s.hidden, inner)),
        up(p.linear(name + ".up_proj", s.hidden, inner)),
        down(p.linear(name + ".down_proj", inner, s.hidden)) {}

  const at::Tensor& norm;
  const plumb::Linear &query, &key, &value, &output;
  const at::Tensor& mlp_norm;
  const plumb::Linear &gate, &up, &down;
};

class MyPlugin final : public plumb::Model {
 public:
  struct Settings {};  // everything is in config.json
  static plumb::Params<Settings> params() { return plumb::Params<Settings>{"a small decoder"}; }

  MyPlugin(const Settings&, plumb::ModelPlan& plan)
      : shape_(read_shape(plumb::HfConfig(plan.config))),
        rotary_(plumb::read_rope(plumb::HfConfig(plan.config)), shape_.head_dim),
        embedding_(plan.parameters.embedding("embedding.weight", shape_.vocabulary, shape_.hidden)) {
    const std::int64_t inner = plumb::HfConfig(plan.config).size("intermediate_size");
    for (std::int64_t i = 0; i < shape_.layers; ++i) {
      layers_.emplace_back(plan.parameters, "layers." + std::to_string(i), shape_, inner);
    }
    norm_ = &plan.parameters.vector("norm.weight", shape_.hidden, 1);
    if (plan.head) head_ = &plan.parameters.linear("lm_head", shape_.hidden, shape_.vocabulary);
  }

  [[nodiscard]] plumb::ModelShape shape() const override { return shape_; }

  // The framework decides who sees whom, so this serves training, scoring and cached decoding alike.
  [[nodiscard]] at::Tensor hidden(const plumb::TokenBatch& batch) override {
    const plumb::RotaryAngles angles = rotary_.angles(batch.positions);
    const auto heads = [&](const at::Tensor& x) { return x.view({x.size(0), -1, shape_.head_dim}); };
    at::Tensor x = at::embedding(embedding_, batch.ids);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const Layer& l = layers_[i];
      const at::Tensor y = plumb::rms_norm(x, l.norm, kEpsilon);
      const at::Tensor mixed =
          batch.attention.attend(static_cast<std::int64_t>(i), plumb::rotate(heads(l.query(y)), angles),
                                 plumb::rotate(heads(l.key(y)), angles), heads(l.value(y)), {});
      x = x + l.output(mixed.flatten(1));
      const at::Tensor z = plumb::rms_norm(x, l.mlp_norm, kEpsilon);
      x = x + l.down(plumb::swiglu(l.gate(z), l.up(z)));
    }
    return plumb::rms_norm(x, *norm_, kEpsilon);
  }

  [[nodiscard]] at::Tensor logits(const at::Tensor& hidden) override {
    if (head_ == nullptr) throw plumb::Error(plumb::ErrorCode::run_failed, "this model was opened without its LM head");
    return (*head_)(hidden);
  }

  [[nodiscard]] std::vector<std::string> default_lora_targets() const override { return {"q_proj", "v_proj"}; }
  [[nodiscard]] std::string architecture(bool classifier) const override {
    return classifier ? "MyPluginForSequenceClassification" : "MyPluginForCausalLM";
  }

 private:
  plumb::ModelShape shape_;
  plumb::Rotary rotary_;
  const at::Tensor& embedding_;
  std::vector<Layer> layers_;
  const at::Tensor* norm_ = nullptr;
  const plumb::Linear* head_ = nullptr;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.example.my-plugin", "0.1.0", "Apache-2.0",
             "a small decoder" PLUMB_STATUS("experimental")) {
  registrar.add<MyPlugin>("my-plugin").claims({"my-plugin"});  // config.json's model_type
}
