// Models: tokens to logits, checked with weights in double so that differences are the model's and not rounding.
#include "plumb/tensor/model.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>

#include <cmath>

#include "plumb/tensor/layers.h"
#include "plumb/tensor/testing.h"
#include "sdk/check/context.h"
#include "sdk/check/tensor/plain_attention.h"
#include "sdk/check/tensor/tensors.h"

namespace plumb::check {
namespace {

using Tokens = std::vector<std::int64_t>;

// What the model's constructor was given.
struct Fixture {
  Value config;
  Parameters parameters;
};

// The keys of both common families, small; a model reads those it knows.
Value small_config(const Context& c) {
  Value config = Value::map({{"hidden_size", 32},
                             {"intermediate_size", 40},
                             {"num_hidden_layers", 2},
                             {"num_attention_heads", 4},
                             {"max_position_embeddings", 64},
                             {"vocab_size", 61}});
  if (!c.component->claims.empty()) config.set("model_type", c.component->claims.front());
  if (c.config().is_map()) {
    for (const auto& [key, value] : c.config().as_map()) config.set(key, value);
  }
  return config;
}

// Larger than a model starts with, so that every part of it matters. A value depends on the name and the seed alone.
at::Tensor drawn(const Parameter& parameter, Random random) {
  const double spread = parameter.init_std > 0 ? 0.25 : 0.1;
  const at::Tensor noise = draw_normal(random.derive(parameter.name), parameter.shape);
  return noise * spread + parameter.init_fill;
}

void fill(Parameters& parameters, const Random& random) {
  for (Parameter* parameter : parameters.all()) *parameter->tensor = drawn(*parameter, random);
}

Made make_with(Context& c, const ComponentEntry& entry, const Value& params, bool head) {
  auto fixture = std::make_shared<Fixture>();
  fixture->config = small_config(c);
  ModelPlan plan{fixture->config, fixture->parameters, head};
  Made made{fixture, entry.make(params, c.host, &plan)};
  fill(fixture->parameters, c.random());
  return made;
}

Made make(Context& c, const ComponentEntry& entry, const Value& params) {
  return make_with(c, entry, params, true);
}

Parameters& parameters_of(Made& made) {
  return std::static_pointer_cast<Fixture>(made.backing)->parameters;
}

Tokens sequence(const Context& c, const std::string& name, std::size_t length, std::int64_t vocabulary) {
  Random random = c.random().derive(name);
  Tokens out(length);
  for (std::int64_t& token : out)
    token = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(vocabulary)));
  return out;
}

// Final hidden states of sequences laid end to end; `from` is the position of each one's first token.
at::Tensor hidden_of(Model& model, const std::vector<Tokens>& sequences, PlainAttention& attention,
                     std::int64_t from = 0) {
  Tokens ids, positions;
  for (const Tokens& one : sequences) {
    for (std::size_t i = 0; i < one.size(); ++i) {
      ids.push_back(one[i]);
      positions.push_back(from + static_cast<std::int64_t>(i));
    }
  }
  return model.hidden({at::tensor(ids), at::tensor(positions), attention});
}

at::Tensor logits_of(Model& model, const std::vector<Tokens>& sequences) {
  std::vector<std::int64_t> lengths;
  for (const Tokens& one : sequences) lengths.push_back(static_cast<std::int64_t>(one.size()));
  PlainAttention attention(lengths);
  return model.logits(hidden_of(model, sequences, attention));
}

void same(const at::Tensor& found, const at::Tensor& wanted, const std::string& what) {
  const double distance = largest_difference(found, wanted);
  require(distance <= 1e-4, what + ": logits differ by " + exact(distance));
}

std::string use(Context& c, Component& component) {
  auto& model = static_cast<Model&>(component);
  const std::int64_t vocabulary = model.shape().vocabulary;
  return bytes_of(logits_of(model, {sequence(c, "a", 9, vocabulary), sequence(c, "b", 4, vocabulary)}));
}

void shape(Context& c) {
  Made made = c.make();
  auto& model = made.as<Model>();
  const ModelShape s = model.shape();
  require(s.layers > 0 && s.hidden > 0 && s.heads > 0 && s.kv_heads > 0 && s.head_dim > 0 && s.vocabulary > 0 &&
              s.context > 0,
          "shape() has a number that is not positive");
  require(s.heads % s.kv_heads == 0, "heads is no multiple of kv_heads");
  PlainAttention attention({7});
  const at::Tensor hidden = hidden_of(model, {sequence(c, "a", 7, s.vocabulary)}, attention);
  require(hidden.dim() == 2 && hidden.size(0) == 7 && hidden.size(1) == s.hidden,
          "hidden of 7 tokens is not [7, hidden]");
  const at::Tensor logits = model.logits(hidden.narrow(0, 2, 3));
  require(logits.dim() == 2 && logits.size(0) == 3 && logits.size(1) == s.vocabulary,
          "logits of 3 rows are not [3, vocabulary]");
  require(logits.scalar_type() == at::kDouble,
          "weights in double give logits of another type; compute in the weights' type");
}

void finite(Context& c) {
  Made made = c.make();
  auto& model = made.as<Model>();
  const std::int64_t vocabulary = model.shape().vocabulary;
  require(logits_of(model, {sequence(c, "a", 20, vocabulary)}).isfinite().all().item<bool>(), "a logit is not finite");
}

void causal(Context& c) {
  Made made = c.make();
  auto& model = made.as<Model>();
  const std::int64_t vocabulary = model.shape().vocabulary;
  Tokens tokens = sequence(c, "a", 10, vocabulary);
  const at::Tensor before = logits_of(model, {tokens});
  tokens[7] = (tokens[7] + 1) % vocabulary;
  const at::Tensor after = logits_of(model, {tokens});
  same(after.narrow(0, 0, 7), before.narrow(0, 0, 7), "a token changes what was before it");
  require(largest_difference(after.narrow(0, 7, 3), before.narrow(0, 7, 3)) > 1e-9, "a token changes nothing after it");
}

void packing(Context& c) {
  Made made = c.make();
  auto& model = made.as<Model>();
  const std::int64_t vocabulary = model.shape().vocabulary;
  const std::vector<Tokens> all{sequence(c, "a", 11, vocabulary), sequence(c, "b", 3, vocabulary),
                                sequence(c, "c", 6, vocabulary)};
  const at::Tensor together = logits_of(model, all);
  std::int64_t start = 0;
  for (const Tokens& one : all) {
    const auto length = static_cast<std::int64_t>(one.size());
    same(together.narrow(0, start, length), logits_of(model, {one}), "a sequence among others and alone");
    start += length;
  }
}

void cached(Context& c) {
  Made made = c.make();
  auto& model = made.as<Model>();
  const std::int64_t vocabulary = model.shape().vocabulary;
  const Tokens a = sequence(c, "a", 12, vocabulary), b = sequence(c, "b", 12, vocabulary);
  const at::Tensor full = logits_of(model, {a, b}).view({2, 12, -1});
  const auto part = [](const Tokens& t, std::size_t from, std::size_t count) {
    return Tokens(t.begin() + static_cast<std::ptrdiff_t>(from), t.begin() + static_cast<std::ptrdiff_t>(from + count));
  };
  PlainAttention attention({5, 5});
  at::Tensor logits = model.logits(hidden_of(model, {part(a, 0, 5), part(b, 0, 5)}, attention)).view({2, 5, -1});
  same(logits, full.narrow(1, 0, 5), "the first five tokens and all of them");
  for (std::size_t at = 5; at < 12; ++at) {
    attention.continue_with({1, 1});
    logits = model.logits(hidden_of(model, {part(a, at, 1), part(b, at, 1)}, attention, static_cast<std::int64_t>(at)));
    same(logits.view({2, 1, -1}), full.narrow(1, static_cast<std::int64_t>(at), 1),
         "token " + std::to_string(at) + " decoded with kept keys and values, and in a full pass");
  }
}

// Weights that are put in their places later, as loading does, count at once and entirely.
void weights(Context& c) {
  Made one = c.make(), other = c.make();
  const std::int64_t vocabulary = one.as<Model>().shape().vocabulary;
  const std::vector<Tokens> tokens{sequence(c, "a", 8, vocabulary)};
  fill(parameters_of(other), Random(c.options.seed + 1));
  const at::Tensor wanted = logits_of(one.as<Model>(), tokens);
  require(largest_difference(logits_of(other.as<Model>(), tokens), wanted) > 1e-9,
          "other weights give the same logits");
  for (Parameter* parameter : parameters_of(other).all()) {
    *parameter->tensor = parameters_of(one).find(parameter->name)->tensor->clone();
  }
  same(logits_of(other.as<Model>(), tokens), wanted, "the same weights, saved and loaded by name");
}

void gradient(Context& c) {
  Made made = c.make();
  auto& model = made.as<Model>();
  const std::int64_t vocabulary = model.shape().vocabulary;
  const std::vector<Tokens> tokens{sequence(c, "a", 6, vocabulary), sequence(c, "b", 3, vocabulary)};
  const at::Tensor weighting = draw_normal(c.random().derive("loss"), {9, vocabulary});
  const auto loss = [&] { return (logits_of(model, tokens) * weighting).sum(); };
  const auto all = parameters_of(made).all();
  std::vector<at::Tensor> values;
  for (Parameter* parameter : all) {
    values.push_back(*parameter->tensor);
    *parameter->tensor = values.back().clone().set_requires_grad(true);
  }
  const at::Tensor value = loss();
  require(value.requires_grad(), "the logits have no gradient");
  value.backward();
  std::vector<at::Tensor> gradients;
  for (std::size_t i = 0; i < all.size(); ++i) {
    gradients.push_back(all[i]->tensor->grad().defined() ? all[i]->tensor->grad().clone() : values[i] * 0);
    *all[i]->tensor = values[i];
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    const at::Tensor direction = draw_normal(c.random().derive(all[i]->name).derive("direction"), all[i]->shape);
    constexpr double step = 1e-4;
    *all[i]->tensor = values[i] + direction * step;
    const double up = loss().item<double>();
    *all[i]->tensor = values[i] - direction * step;
    const double down = loss().item<double>();
    *all[i]->tensor = values[i];
    const double measured = (up - down) / (2 * step), given = (gradients[i] * direction).sum().item<double>();
    require(std::abs(measured - given) <= 1e-3 + 1e-2 * std::abs(measured),
            all[i]->name + ": the gradient along a direction is " + exact(given) + ", finite differences give " +
                exact(measured));
    require(gradients[i].abs().sum().item<double>() > 0, all[i]->name + " is declared and has no influence");
  }
}

// Runs every layer twice, and lets backward run it once more.
class Again final : public LayerRunner {
 public:
  at::Tensor run(std::int64_t index, const at::Tensor& x, const LayerFunction& layer) override {
    ++count;
    const at::Tensor y = checkpointed(index, x, layer);
    require(bytes_of(y.detach()) == bytes_of(layer(index, x).detach()),
            "layer " + std::to_string(index) + ", run twice on the same hidden states, gives two results");
    return y;
  }
  std::int64_t count = 0;
};

// The gradients of a loss on one sequence, by parameter, after the loss itself.
std::vector<std::string> learnt(Made& made, const Tokens& tokens, const at::Tensor& weighting) {
  auto& model = made.as<Model>();
  testing::PlainAttention attention;  // it keeps nothing of a layer
  const at::Tensor loss =
      (model.logits(model.hidden({at::tensor(tokens), at::arange(weighting.size(0)), attention})) * weighting).sum();
  loss.backward();
  std::vector<std::string> out{bytes_of(loss.detach())};
  for (Parameter* parameter : parameters_of(made).all()) {
    at::Tensor& gradient = parameter->tensor->mutable_grad();
    out.push_back(gradient.defined() ? bytes_of(gradient) : "");
    gradient.reset();
  }
  return out;
}

void layers(Context& c) {
  Made made = c.make();
  const ModelShape shape = made.as<Model>().shape();
  const auto all = parameters_of(made).all();
  for (Parameter* parameter : all) parameter->tensor->set_requires_grad(true);
  const Tokens tokens = sequence(c, "a", 7, shape.vocabulary);
  const at::Tensor weighting = draw_normal(c.random().derive("loss"), {7, shape.vocabulary});
  const std::vector<std::string> kept = learnt(made, tokens, weighting);
  Again again;
  const LayersThrough scope(again);
  const std::vector<std::string> computed = learnt(made, tokens, weighting);
  if (again.count == 0) {
    throw Skip{
        "hidden runs no layers through run_layers (plumb/tensor/layers.h): gradient_checkpointing is refused "
        "for this model"};
  }
  require(again.count == shape.layers, "hidden runs " + std::to_string(again.count) + " of its " +
                                           std::to_string(shape.layers) + " layers through run_layers");
  require(computed.front() == kept.front(), "the loss has other bits when layers are computed again");
  for (std::size_t i = 0; i < all.size(); ++i) {
    require(computed[i + 1] == kept[i + 1],
            all[i]->name + ": the gradient has other bits when its layer is computed again after hidden has returned");
  }
}

void backbone(Context& c) {
  Made headed = c.make();
  Made bare = make_with(c, c.component_entry(), c.params(), false);
  const Tokens tokens = sequence(c, "a", 8, headed.as<Model>().shape().vocabulary);
  PlainAttention first({8}), second({8});
  const double distance =
      largest_difference(hidden_of(bare.as<Model>(), {tokens}, first), hidden_of(headed.as<Model>(), {tokens}, second));
  require(distance <= 1e-6, "without its head (a reward model) the hidden states differ by " + exact(distance));
  const std::size_t own = parameters_of(bare).all().size(), all = parameters_of(headed).all().size();
  require(own <= all, "without its head it declares more parameters");
}

void names(Context& c) {
  Made made = c.make();
  auto& model = made.as<Model>();
  require(!c.component->claims.empty(),
          "it was registered without .claims({model_type}); no model folder would find it");
  require(!model.architecture(false).empty() && model.architecture(false) != model.architecture(true),
          "architecture() wants a name for the language model and another for the classifier");
  const auto targets = model.default_lora_targets();
  require(!targets.empty(), "it names no layers for LoRA");
  for (const std::string& target : targets) {
    bool known = false;
    for (const std::string& layer : parameters_of(made).linear_names())
      known = known || layer.ends_with("." + target) || layer == target;
    require(known, "LoRA target " + target + " is no linear layer of it");
  }
}

}  // namespace

Kind model_kind() {
  return {Model::kind,
          "model",
          use,
          make,
          {
              {"model.shape", "hidden states and logits have the shapes and the type that are promised", shape, true},
              {"model.finite", "logits are finite", finite, true},
              {"model.causal", "a token does not see what comes after it", causal, true},
              {"model.packing", "a sequence among others gives what it gives alone", packing, true},
              {"model.cached-decode", "token by token gives what a full pass gives", cached},
              {"model.weights", "weights, saved and loaded by name, are all there is to it", weights, true},
              {"model.gradient", "gradients agree with finite differences for every parameter", gradient},
              {"model.layers", "layers that are computed again for the gradient give the same bits", layers},
              {"model.backbone", "works without its head, as a reward model", backbone},
              {"model.names", "model_type, architecture names and LoRA targets are given", names},
          }};
}

}  // namespace plumb::check
