// GPT-NeoX (Black et al., arXiv:2204.06745), the architecture of Pythia: LayerNorm, fused query-key-value product,
// partial rotary positions, GELU, biases, parallel or sequential residual. Names and defaults are those of
// transformers' GPTNeoXForCausalLM.
#include <ATen/TensorOperators.h>
#include <ATen/ops/layer_norm.h>
#include <plumb/error.h>
#include <plumb/tensor/activation.h>
#include <plumb/tensor/decoder_model.h>
#include <plumb/tensor/hf_config.h>

#include <plumb/plugin.h>

namespace {

struct Sizes {
  plumb::ModelShape shape;
  plumb::Activation activation;
  std::int64_t inner;
  double epsilon, init_std;
  bool attention_bias, parallel_residual, tied;
};

Sizes read_sizes(const plumb::HfConfig& config) {
  Sizes s;
  s.activation = plumb::read_activation(config, "hidden_act", "gelu");
  s.shape.layers = config.size("num_hidden_layers");
  s.shape.hidden = config.size("hidden_size");
  s.shape.heads = s.shape.kv_heads = config.size("num_attention_heads");
  if (s.shape.hidden % s.shape.heads != 0) {
    throw plumb::Error(plumb::ErrorCode::data, "config.json: hidden_size is no multiple of num_attention_heads");
  }
  s.shape.head_dim = s.shape.hidden / s.shape.heads;
  s.shape.vocabulary = config.size("vocab_size");
  s.shape.context = config.size("max_position_embeddings", 2048);
  s.inner = config.size("intermediate_size");
  s.epsilon = config.real("layer_norm_eps", 1e-5);
  s.init_std = config.real("initializer_range", 0.02);
  s.attention_bias = config.flag("attention_bias", true);
  s.parallel_residual = config.flag("use_parallel_residual", true);
  s.tied = config.flag("tie_word_embeddings", false);
  return s;
}

struct LayerNorm {
  LayerNorm(plumb::Parameters& p, const std::string& name, const Sizes& s)
      : weight(p.vector(name + ".weight", s.shape.hidden, 1)),
        bias(p.vector(name + ".bias", s.shape.hidden, 0)),
        epsilon(s.epsilon) {}
  at::Tensor operator()(const at::Tensor& x) const {
    const auto type = x.scalar_type();
    return at::layer_norm(x, {x.size(-1)}, weight.to(type), bias.to(type), epsilon);
  }

  const at::Tensor &weight, &bias;
  double epsilon;
};

class Layer {
 public:
  Layer(plumb::Parameters& p, const std::string& name, const Sizes& s)
      : sizes_(s),
        attention_norm_(p, name + ".input_layernorm", s),
        mlp_norm_(p, name + ".post_attention_layernorm", s),
        query_key_value_(p.linear(name + ".attention.query_key_value", s.shape.hidden, 3 * s.shape.hidden,
                                  s.attention_bias, s.init_std)),
        dense_(p.linear(name + ".attention.dense", s.shape.hidden, s.shape.hidden, s.attention_bias, s.init_std)),
        widen_(p.linear(name + ".mlp.dense_h_to_4h", s.shape.hidden, s.inner, true, s.init_std)),
        narrow_(p.linear(name + ".mlp.dense_4h_to_h", s.inner, s.shape.hidden, true, s.init_std)) {}

  // x [tokens, hidden] -> the same shape
  at::Tensor operator()(std::int64_t index, const at::Tensor& x, const plumb::DecoderPass& pass) const {
    const at::Tensor y = x + mix(index, attention_norm_(x), pass);
    const at::Tensor inner = mlp_norm_(sizes_.parallel_residual ? x : y);
    return y + narrow_(plumb::activate(sizes_.activation, widen_(inner)));
  }

 private:
  // The fused product holds query, key and value of one head after another: [tokens, heads, 3, dim].
  at::Tensor mix(std::int64_t index, const at::Tensor& x, const plumb::DecoderPass& pass) const {
    const auto qkv = query_key_value_(x).view({x.size(0), sizes_.shape.heads, 3, sizes_.shape.head_dim}).unbind(2);
    const at::Tensor mixed = pass.attention.attend(index, plumb::rotate(qkv[0], pass.angles),
                                                   plumb::rotate(qkv[1], pass.angles), qkv[2], {});
    return dense_(mixed.flatten(1));
  }

  const Sizes& sizes_;
  LayerNorm attention_norm_, mlp_norm_;
  const plumb::Linear &query_key_value_, &dense_, &widen_, &narrow_;
};

plumb::DecoderLayout layout_of(const Sizes& s, const plumb::HfConfig& config) {
  return {.shape = s.shape,
          .family = "GPTNeoX",
          .embedding = "gpt_neox.embed_in.weight",
          .head = "embed_out",
          .lora_targets = {"query_key_value"},
          .tied = s.tied,
          .init_std = s.init_std,
          .rotary = plumb::Rotary(plumb::read_rope(config, 0.25), s.shape.head_dim)};
}

class Pythia final : public plumb::DecoderModel {
 public:
  struct Settings {};  // everything is in config.json
  static plumb::Params<Settings> params() {
    return plumb::Params<Settings>("GPT-NeoX: LayerNorm, partial rotary positions, GELU, parallel residual",
                                   "arXiv:2204.06745, arXiv:2304.01373; transformers' GPTNeoXForCausalLM");
  }

  Pythia(const Settings& /*settings*/, plumb::ModelPlan& plan)
      : Pythia(plan, read_sizes(plumb::HfConfig(plan.config))) {}

 protected:
  [[nodiscard]] at::Tensor layer(std::int64_t index, const at::Tensor& x, const plumb::DecoderPass& pass) override {
    return layers_[static_cast<std::size_t>(index)](index, x, pass);
  }
  [[nodiscard]] at::Tensor norm(const at::Tensor& x) override { return (*norm_)(x); }

 private:
  Pythia(plumb::ModelPlan& plan, const Sizes& sizes)
      : DecoderModel(plan, layout_of(sizes, plumb::HfConfig(plan.config))), sizes_(sizes) {
    for (std::int64_t i = 0; i < sizes_.shape.layers; ++i) {
      layers_.emplace_back(plan.parameters, "gpt_neox.layers." + std::to_string(i), sizes_);
    }
    norm_.emplace(plan.parameters, "gpt_neox.final_layer_norm", sizes_);
    declare_head(plan);
  }

  const Sizes sizes_;
  std::vector<Layer> layers_;
  std::optional<LayerNorm> norm_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.plumbline.pythia", "1.0.0", "Apache-2.0",
             "the GPT-NeoX architecture of Pythia" PLUMB_STATUS("stable")) {
  registrar.add<Pythia>("pythia").claims({"gpt_neox", "gpt_neox_reward_model"});
}
