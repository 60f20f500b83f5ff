#include "framework/engine/training/sharded_layers.h"
#include "framework/engine/training/trained_tensors.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>

#include <boost/test/unit_test.hpp>

#include "framework/engine/distributed/test_ranks.h"
#include "framework/engine/modeling/grouped_forward.h"
#include "framework/engine/rollout/random_models.h"

namespace plumb {
namespace {

// Three layers, whose tensors all divide by 64; the embedding, the last norm and the head are in no layer.
LanguageModel model_of(Host& host, const char* dtype) {
  const Value config = Value::map({{"hidden_size", 64},
                                   {"intermediate_size", 96},
                                   {"num_hidden_layers", 3},
                                   {"num_attention_heads", 4},
                                   {"num_key_value_heads", 2},
                                   {"vocab_size", 61},
                                   {"max_position_embeddings", 96},
                                   {"initializer_range", 0.2}});
  LanguageModel model = new_language_model("llama2", config, test::plugins(), host, Random(4),
                                           {.placement = {.dtype = dtype}, .training = true});
  model.gradient_checkpointing = true;
  return model;
}

at::Tensor share_of(LanguageModel& model, std::uint64_t micro) {
  Random random(100 + micro);
  SequenceGroup group;
  for (int i = 0; i < 4; ++i) group.prompt.push_back(static_cast<TokenId>(random.below(61)));
  for (int c = 0; c < 2; ++c) {
    auto& answer = group.completions.emplace_back();
    const std::uint64_t length = 3 + random.below(6);
    for (std::uint64_t i = 0; i < length; ++i) answer.push_back(static_cast<TokenId>(random.below(61)));
  }
  return completion_logps(model, {&group, 1}, {}).tokens.sum() * -0.05;
}

constexpr std::uint64_t kMicros = 5;

// Three updates by one process that holds everything.
std::map<std::string, at::Tensor> trained_alone(Host& host, const char* dtype, std::vector<double>& norms) {
  LanguageModel model = model_of(host, dtype);
  UpdateRule rule(trained_tensors(model), {.weight_decay = 0.1});
  for (std::uint64_t update = 0; update < 3; ++update) {
    for (std::uint64_t micro = 0; micro < kMicros; ++micro) share_of(model, update * kMicros + micro).backward();
    norms.push_back(rule.gradient_norm());
    rule.clip(norms.back(), 1.0);
    rule.step(1e-2);
  }
  std::map<std::string, at::Tensor> out;
  for (const auto& [name, tensor] : rule.state()) out[name] = tensor;
  return out;
}

// The tensors that are whole on every rank take their sums from everybody, as the trainer's do.
struct Whole {
  std::vector<TrainedTensor> tensors;
  std::vector<at::Tensor> sums;
  void end_round(Collective& group, int contributing) {
    const at::NoGradGuard no_grad;
    sums.resize(tensors.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const at::Tensor mine = tensors[i].value.grad().clone();
      tensors[i].value.mutable_grad().reset();
      std::vector<at::Tensor> all(static_cast<std::size_t>(group.world()), mine);
      const at::Tensor full = at::stack(all);
      group.gather(full.view(-1), mine.view(-1))->wait();
      for (int rank = 0; rank < contributing; ++rank) {
        sums[i] = sums[i].defined() ? sums[i] + full[rank] : full[rank].clone();
      }
    }
  }
  void hand_out() {
    for (std::size_t i = 0; i < tensors.size(); ++i) tensors[i].value.mutable_grad() = std::move(sums[i]);
  }
};

void trains_as_alone(Collective& group, const char* dtype) {
  testing::FakeHost host;
  std::vector<double> norms;
  const auto wanted = trained_alone(host, dtype, norms);

  LanguageModel model = model_of(host, dtype);
  const std::vector<TrainedTensor> all = trained_tensors(model);
  ShardedLayers layers(model, group);
  Whole whole;
  std::int64_t held = 0, numbers = 0;
  for (const TrainedTensor& tensor : all) {
    if (layers.part_of(tensor.name) == nullptr) whole.tensors.push_back(tensor);
  }
  std::vector<TrainedTensor> mine = layers.parts();
  for (const TrainedTensor& part : mine) held += part.value.numel();
  mine.insert(mine.end(), whole.tensors.begin(), whole.tensors.end());
  for (const TrainedTensor& tensor : all) {
    if (layers.part_of(tensor.name) != nullptr) BOOST_TEST(tensor.value.numel() == 0);  // nobody else keeps it
  }
  for (const auto& [name, tensor] : wanted) {
    if (layers.part_of(name) != nullptr) numbers += tensor.numel();
  }
  BOOST_TEST(held <= numbers / group.world() + 64 * 6);
  UpdateRule rule(mine, {.weight_decay = 0.1});

  const auto world = static_cast<std::uint64_t>(group.world()), rank = static_cast<std::uint64_t>(group.rank());
  for (std::uint64_t update = 0; update < 3; ++update) {
    for (std::uint64_t round = 0; round * world < kMicros; ++round) {
      const std::uint64_t micro = round * world + rank;
      const int contributing = static_cast<int>(std::min(world, kMicros - round * world));
      layers.begin_round(contributing);
      share_of(model, update * kMicros + (micro < kMicros ? micro : 0)).backward();
      layers.end_round();
      whole.end_round(group, contributing);
    }
    layers.hand_out();
    whole.hand_out();
    const auto of_layers = layers.norms();
    std::vector<at::Tensor> found;
    for (const TrainedTensor& tensor : all) {
      const auto norm = of_layers.find(tensor.name);
      found.push_back(norm == of_layers.end() ? at::linalg_vector_norm(tensor.value.grad(), 2, {}, false, at::kFloat)
                                              : norm->second);
    }
    const double norm = at::linalg_vector_norm(at::stack(found)).item<double>();
    BOOST_TEST(norm == norms[update]);
    rule.clip(norm, 1.0);
    rule.step(1e-2);
  }
  {
    const at::NoGradGuard no_grad;  // an evaluation between updates
    BOOST_TEST(share_of(model, 0).item<double>() == share_of(model, 0).item<double>());
  }

  std::map<std::string, at::Tensor> state;
  for (const auto& [name, tensor] : rule.state()) state[name] = tensor;
  for (const TrainedTensor& tensor : all) {
    const TrainedTensor* part = layers.part_of(tensor.name);
    for (const char* kind : {"", ".exp_avg", ".exp_avg_sq", ".master"}) {
      const auto want = wanted.find(tensor.name + kind);
      if (want == wanted.end()) continue;
      const at::Tensor& here = state.at((part != nullptr ? part->name : tensor.name) + kind);
      const at::Tensor got = part != nullptr ? layers.whole(tensor.name, tensor.name + kind, here).make() : here;
      BOOST_TEST(at::equal(got, want->second), tensor.name << kind);
    }
    if (part == nullptr) continue;
    const at::Tensor again =
        layers.part_from(*part, [&](const std::string& name) { return wanted.at(name + ".exp_avg"); });
    BOOST_TEST(at::equal(again, state.at(part->name + ".exp_avg")), part->name);
  }
  layers.make_whole();
  for (const Parameter* parameter : model.parameters->all()) {
    BOOST_TEST(at::equal(*parameter->tensor, wanted.at(parameter->name)), parameter->name);
    BOOST_TEST(parameter->tensor->requires_grad());
  }
}

BOOST_AUTO_TEST_SUITE(sharded_layers)

BOOST_AUTO_TEST_CASE(one_rank_trains_as_without_parts) {
  trains_as_alone(alone(), "float32");
}

BOOST_AUTO_TEST_CASE(two_ranks_have_the_bits_of_one_process) {
  test::on_ranks(2, [](Collective& group) {
    trains_as_alone(group, "float32");
    trains_as_alone(group, "bfloat16");
  });
}

BOOST_AUTO_TEST_CASE(four_ranks_have_the_bits_of_one_process) {
  test::on_ranks(4, [](Collective& group) { trains_as_alone(group, "float32"); });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace plumb
