// my-plugin: a small decoder. Each layer normalises, attends with rotary positions, then passes through a gated MLP.
// Parameters have the names that they get in model.safetensors.
#include <ATen/TensorOperators.h>
#include <plumb/error.h>
#include <plumb/plugin.h>
#include <plumb/tensor/decoder_model.h>
#include <plumb/tensor/fused.h>
#include <plumb/tensor/hf_config.h>

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

plumb::DecoderLayout read_layout(const plumb::HfConfig& config) {
  const plumb::ModelShape shape = read_shape(config);
  return {.shape = shape,
          .family = "MyPlugin",
          .embedding = "embedding.weight",
          .rotary = plumb::Rotary(plumb::read_rope(config), shape.head_dim)};
}

class MyPlugin final : public plumb::DecoderModel {
 public:
  struct Settings {};  // everything is in config.json
  static plumb::Params<Settings> params() { return plumb::Params<Settings>{"a small decoder"}; }

  MyPlugin(const Settings&, plumb::ModelPlan& plan) : DecoderModel(plan, read_layout(plumb::HfConfig(plan.config))) {
    const std::int64_t inner = plumb::HfConfig(plan.config).size("intermediate_size");
    for (std::int64_t i = 0; i < shape().layers; ++i) {
      layers_.emplace_back(plan.parameters, "layers." + std::to_string(i), shape(), inner);
    }
    norm_ = &plan.parameters.vector("norm.weight", shape().hidden, 1);
    declare_head(plan);
  }

 protected:
  // The framework decides who sees whom, so this serves training, scoring and cached decoding alike.
  [[nodiscard]] at::Tensor layer(std::int64_t index, const at::Tensor& x, const plumb::DecoderPass& pass) override {
    const Layer& l = layers_[static_cast<std::size_t>(index)];
    const auto heads = [&](const at::Tensor& of) { return of.view({of.size(0), -1, shape().head_dim}); };
    const at::Tensor y = plumb::rms_norm(x, l.norm, kEpsilon);
    const at::Tensor mixed = pass.attention.attend(index, plumb::rotate(heads(l.query(y)), pass.angles),
                                                   plumb::rotate(heads(l.key(y)), pass.angles), heads(l.value(y)), {});
    const at::Tensor attended = x + l.output(mixed.flatten(1));
    const at::Tensor z = plumb::rms_norm(attended, l.mlp_norm, kEpsilon);
    return attended + l.down(plumb::swiglu(l.gate(z), l.up(z)));
  }
  [[nodiscard]] at::Tensor norm(const at::Tensor& x) override {
    return plumb::rms_norm(x, norm_->to(x.scalar_type()), kEpsilon);
  }

 private:
  std::vector<Layer> layers_;
  const at::Tensor* norm_ = nullptr;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.example.my-plugin", "0.1.0", "Apache-2.0",
             "a small decoder" PLUMB_STATUS("experimental")) {
  registrar.add<MyPlugin>("my-plugin").claims({"my-plugin"});  // config.json's model_type
}
