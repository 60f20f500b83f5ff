// Llama (Touvron et al., arXiv:2307.09288): RMSNorm, rotary positions, SwiGLU, grouped-query attention. Names and
// defaults are those of transformers' LlamaForCausalLM.
#include <ATen/TensorOperators.h>
#include <plumb/error.h>
#include <plumb/tensor/activation.h>
#include <plumb/tensor/decoder_model.h>
#include <plumb/tensor/fused.h>
#include <plumb/tensor/hf_config.h>

#include <plumb/plugin.h>

namespace {

struct Sizes {
  plumb::ModelShape shape;
  plumb::Activation activation;
  std::int64_t inner;
  double epsilon, init_std;
  bool attention_bias, mlp_bias, tied;
};

Sizes read_sizes(const plumb::HfConfig& config) {
  Sizes s;
  s.activation = plumb::read_activation(config, "hidden_act", "silu");
  s.shape.layers = config.size("num_hidden_layers");
  s.shape.hidden = config.size("hidden_size");
  s.shape.heads = config.size("num_attention_heads");
  s.shape.kv_heads = config.size("num_key_value_heads", s.shape.heads);
  if (s.shape.heads % s.shape.kv_heads != 0) {
    throw plumb::Error(plumb::ErrorCode::data,
                       "config.json: num_attention_heads is no multiple of num_key_value_heads");
  }
  if (!config.has("head_dim") && s.shape.hidden % s.shape.heads != 0) {
    throw plumb::Error(plumb::ErrorCode::data, "config.json: hidden_size is no multiple of num_attention_heads");
  }
  s.shape.head_dim = config.size("head_dim", s.shape.hidden / s.shape.heads);
  s.shape.vocabulary = config.size("vocab_size");
  s.shape.context = config.size("max_position_embeddings", 2048);
  s.inner = config.size("intermediate_size");
  s.epsilon = config.real("rms_norm_eps", 1e-6);
  s.init_std = config.real("initializer_range", 0.02);
  s.attention_bias = config.flag("attention_bias", false);
  s.mlp_bias = config.flag("mlp_bias", false);
  s.tied = config.flag("tie_word_embeddings", false);
  return s;
}

class Layer {
 public:
  Layer(plumb::Parameters& p, const std::string& name, const Sizes& s)
      : sizes_(s),
        attention_norm_(p.vector(name + ".input_layernorm.weight", s.shape.hidden, 1)),
        query_(attention(p, name + ".self_attn.q_proj", s.shape.heads)),
        key_(attention(p, name + ".self_attn.k_proj", s.shape.kv_heads)),
        value_(attention(p, name + ".self_attn.v_proj", s.shape.kv_heads)),
        output_(p.linear(name + ".self_attn.o_proj", s.shape.heads * s.shape.head_dim, s.shape.hidden, s.attention_bias,
                         s.init_std)),
        mlp_norm_(p.vector(name + ".post_attention_layernorm.weight", s.shape.hidden, 1)),
        gate_(p.linear(name + ".mlp.gate_proj", s.shape.hidden, s.inner, s.mlp_bias, s.init_std)),
        up_(p.linear(name + ".mlp.up_proj", s.shape.hidden, s.inner, s.mlp_bias, s.init_std)),
        down_(p.linear(name + ".mlp.down_proj", s.inner, s.shape.hidden, s.mlp_bias, s.init_std)) {}

  // x [tokens, hidden] -> the same shape
  at::Tensor operator()(std::int64_t index, const at::Tensor& x, const plumb::DecoderPass& pass) const {
    const at::Tensor normed = norm(x, attention_norm_);
    const at::Tensor mixed =
        pass.attention.attend(index, plumb::rotate(heads(query_(normed)), pass.angles),
                              plumb::rotate(heads(key_(normed)), pass.angles), heads(value_(normed)), {});
    const at::Tensor y = x + output_(mixed.flatten(1));
    const at::Tensor inner = norm(y, mlp_norm_);
    if (sizes_.activation == plumb::Activation::silu) return y + down_(plumb::swiglu(gate_(inner), up_(inner)));
    return y + down_(plumb::activate(sizes_.activation, gate_(inner)) * up_(inner));
  }

 private:
  const plumb::Linear& attention(plumb::Parameters& p, const std::string& name, std::int64_t heads) const {
    return p.linear(name, sizes_.shape.hidden, heads * sizes_.shape.head_dim, sizes_.attention_bias, sizes_.init_std);
  }
  at::Tensor norm(const at::Tensor& x, const at::Tensor& weight) const {
    return plumb::rms_norm(x, weight, sizes_.epsilon);
  }
  at::Tensor heads(const at::Tensor& x) const { return x.view({x.size(0), -1, sizes_.shape.head_dim}); }

  const Sizes& sizes_;
  const at::Tensor& attention_norm_;
  const plumb::Linear &query_, &key_, &value_, &output_;
  const at::Tensor& mlp_norm_;
  const plumb::Linear &gate_, &up_, &down_;
};

plumb::DecoderLayout layout_of(const Sizes& s, const plumb::HfConfig& config) {
  return {.shape = s.shape,
          .family = "Llama",
          .tied = s.tied,
          .init_std = s.init_std,
          .rotary = plumb::Rotary(plumb::read_rope(config), s.shape.head_dim)};
}

class Llama final : public plumb::DecoderModel {
 public:
  struct Settings {};  // everything is in config.json
  static plumb::Params<Settings> params() {
    return plumb::Params<Settings>("Llama: RMSNorm, rotary positions, SwiGLU, grouped-query attention",
                                   "arXiv:2307.09288; transformers' LlamaForCausalLM");
  }

  Llama(const Settings& /*settings*/, plumb::ModelPlan& plan) : Llama(plan, read_sizes(plumb::HfConfig(plan.config))) {}

 protected:
  [[nodiscard]] at::Tensor layer(std::int64_t index, const at::Tensor& x, const plumb::DecoderPass& pass) override {
    return layers_[static_cast<std::size_t>(index)](index, x, pass);
  }
  [[nodiscard]] at::Tensor norm(const at::Tensor& x) override {
    return plumb::rms_norm(x, norm_->to(x.scalar_type()), sizes_.epsilon);
  }

 private:
  Llama(plumb::ModelPlan& plan, const Sizes& sizes)
      : DecoderModel(plan, layout_of(sizes, plumb::HfConfig(plan.config))), sizes_(sizes) {
    for (std::int64_t i = 0; i < sizes_.shape.layers; ++i) {
      layers_.emplace_back(plan.parameters, "model.layers." + std::to_string(i), sizes_);
    }
    norm_ = &plan.parameters.vector("model.norm.weight", sizes_.shape.hidden, 1);
    declare_head(plan);
  }

  const Sizes sizes_;
  std::vector<Layer> layers_;
  const at::Tensor* norm_ = nullptr;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.plumbline.llama2", "1.0.0", "Apache-2.0",
             "the Llama architecture" PLUMB_STATUS("stable")) {
  registrar.add<Llama>("llama2").claims({"llama"});
}
