#include "framework/engine/modeling/checkpointed_layers.h"

#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linspace.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <map>

#include "framework/core/registry/registry.h"
#include "framework/engine/modeling/grouped_forward.h"
#include "framework/engine/modeling/live_bytes.h"
#include "plumb/testing.h"

namespace plumb {
namespace {

struct Case {
  const char* name;
  const char* architecture = "llama2";
  const char* dtype = "float32";
  double dropout = -1;  // of an adapter; negative: none, all weights learn
  const char* weights = "full";
};
std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.name;
}

const std::vector<Case> cases{{"llama"},
                              {"pythia", "pythia"},
                              {"bfloat16", "llama2", "bfloat16"},
                              {"adapter", "llama2", "float32", 0},
                              {"dropout", "llama2", "float32", 0.3},
                              {"dropout_above_8_bits", "pythia", "bfloat16", 0.3, "int8"}};

LanguageModel random_model(const Case& c, std::int64_t layers, Host& host) {
  static const Registry built = Registry::scan(PluginSearch::standard());
  const Value config = Value::map({{"hidden_size", 32},
                                   {"intermediate_size", 64},
                                   {"num_hidden_layers", layers},
                                   {"num_attention_heads", 4},
                                   {"vocab_size", 50},
                                   {"max_position_embeddings", 512},
                                   {"initializer_range", 0.3}});
  LanguageModel model =
      new_language_model(c.architecture, config, built, host, Random(4),
                         {.placement = {.dtype = c.dtype, .weights = c.weights}, .training = c.dropout < 0});
  if (c.dropout >= 0) {
    attach_lora(model, {.r = 4, .dropout = c.dropout}, Random(5));
    for (Parameter& parameter : *model.adapter) {  // B starts at zero, where A learns nothing
      const at::NoGradGuard no_grad;
      if (parameter.name.ends_with("lora_B.weight")) {
        parameter.tensor->copy_(at::linspace(-0.2, 0.2, parameter.tensor->numel()).view(parameter.shape));
      }
    }
  }
  return model;
}

// Two prompts with two answers each, one of them long enough for the kernel of long sequences.
std::vector<SequenceGroup> groups() {
  auto ids = [random = Random(7)](std::size_t count) mutable {
    std::vector<TokenId> out;
    while (out.size() < count) out.push_back(static_cast<TokenId>(random.below(50)));
    return out;
  };
  return {{ids(5), {ids(3), ids(9)}}, {ids(20), {ids(180), ids(7)}}};
}

struct Learnt {
  at::Tensor loss;
  std::map<std::string, at::Tensor> gradients;
};

// Twice, so that gradients meet what is there already.
Learnt learn(LanguageModel& model) {
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  generator.set_current_seed(3);
  Learnt out;
  for (int i = 0; i < 2; ++i) {
    const at::Tensor logps = completion_logps(model, groups(), {}).tokens;
    out.loss = (logps * at::linspace(-1, 2, logps.numel())).sum();
    out.loss.backward();
  }
  for (const Parameter* parameter : model.trainable()) {
    out.gradients[parameter->name] = parameter->tensor->grad().clone();
    parameter->tensor->mutable_grad().reset();
  }
  return out;
}

// Bytes of the tensors that a forward pass leaves for the backward pass, and the most that both need.
struct Memory {
  std::int64_t kept, peak;
};
Memory memory_of(LanguageModel& model) {
  test::LiveBytes& live = test::LiveBytes::counting();
  const std::int64_t before = live.now();
  live.reset_peak();
  const at::Tensor loss = completion_logps(model, groups(), {}).tokens.sum();
  const std::int64_t kept = live.now() - before;
  loss.backward();
  return {kept, live.peak() - before};
}

// One layer, which nobody is told of.
class Opaque final : public Model {
 public:
  explicit Opaque(at::Tensor table) : table_(std::move(table)) {}
  [[nodiscard]] ModelShape shape() const override { return {.layers = 1, .hidden = 2, .vocabulary = 3}; }
  [[nodiscard]] at::Tensor hidden(const TokenBatch& batch) override { return at::embedding(table_, batch.ids); }
  [[nodiscard]] at::Tensor logits(const at::Tensor& hidden) override { return hidden.matmul(table_.t()); }
  [[nodiscard]] std::vector<std::string> default_lora_targets() const override { return {}; }
  [[nodiscard]] std::string architecture(bool) const override { return {}; }

 private:
  at::Tensor table_;
};

BOOST_AUTO_TEST_SUITE(checkpointed_layers)

BOOST_DATA_TEST_CASE(losses_and_gradients_have_the_same_bits, boost::unit_test::data::make(cases)) {
  testing::FakeHost host;
  LanguageModel model = random_model(sample, 3, host);
  const Learnt kept = learn(model);
  require_layers(model);
  model.gradient_checkpointing = true;
  const Learnt computed = learn(model);
  BOOST_TEST(at::equal(computed.loss, kept.loss));
  BOOST_TEST(computed.gradients.size() == kept.gradients.size());
  for (const auto& [name, gradient] : kept.gradients) {
    BOOST_TEST(at::equal(computed.gradients.at(name), gradient), name);
    BOOST_TEST(gradient.abs().max().item().toDouble() > 0, name);
  }
}

// The input of a layer, and the state of the random generator (5,056 bytes) are all that is kept of it: of what else is
// kept, nothing grows with the layers.
BOOST_AUTO_TEST_CASE(a_layer_keeps_its_input_alone) {
  testing::FakeHost host;
  std::int64_t tokens = 0;
  for (const SequenceGroup& group : groups()) {
    tokens += static_cast<std::int64_t>(group.prompt.size());
    for (const auto& answer : group.completions) tokens += static_cast<std::int64_t>(answer.size());
  }
  const std::int64_t input = tokens * 32 * 4;
  std::map<bool, std::map<int, Memory>> found;
  for (const int layers : {4, 12}) {
    LanguageModel model = random_model(cases.front(), layers, host);
    for (const bool checkpointing : {false, true}) {
      model.gradient_checkpointing = checkpointing;
      memory_of(model);  // gradients are there from here on
      found[checkpointing][layers] = memory_of(model);
    }
  }
  const auto of_a_layer = [&](bool on, std::int64_t Memory::*what) {
    return (found[on][12].*what - found[on][4].*what) / 8;
  };
  BOOST_TEST_MESSAGE("kept of a layer: " << of_a_layer(false, &Memory::kept) << " and "
                                         << of_a_layer(true, &Memory::kept) << " bytes; its input has " << input);
  BOOST_TEST(of_a_layer(true, &Memory::kept) >= input);
  BOOST_TEST(of_a_layer(true, &Memory::kept) <= input + 5056 + 64);
  BOOST_TEST(of_a_layer(false, &Memory::kept) > 10 * input);
  BOOST_TEST(of_a_layer(true, &Memory::peak) <= input + 5056 + 64);
}

BOOST_AUTO_TEST_CASE(a_model_whose_layers_are_hidden_is_refused_by_name) {
  LanguageModel model;
  model.parameters = std::make_unique<Parameters>();
  model.parameters->embedding("table", 3, 2);
  *model.parameters->find("table")->tensor = at::linspace(0, 1, 6).view({3, 2});
  model.model = {std::make_shared<Opaque>(*model.parameters->find("table")->tensor), "model opaque", ""};
  BOOST_CHECK_EXCEPTION(require_layers(model), Error, [](const Error& error) {
    const std::string what = error.what();
    return error.code() == ErrorCode::recipe && what.find("model opaque runs 0 of its 1 layers") != std::string::npos;
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace plumb
