// Peaks of the paper's models on a device, by the code that runs there, against bars and against what `plan` says.
// Nothing is computed: every allocation is counted.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <boost/test/unit_test.hpp>

#include "framework/core/artifacts/test_folder.h"
#include "framework/core/components/make.h"
#include "framework/core/pipeline/accelerator.h"
#include "framework/core/pipeline/estimate.h"
#include "framework/core/pipeline/test_recipe.h"
#include "framework/engine/modeling/decoder.h"
#include "framework/engine/modeling/grouped_forward.h"
#include "framework/engine/modeling/kv_cache.h"
#include "framework/engine/rollout/device_sampler.h"
#include "framework/engine/training/online_objective.h"
#include "large_model.h"

namespace {
using namespace plumb;
using namespace plumb::test;

[[maybe_unused]] const bool is_dry = [] {
  strict::set_dry();
  return true;
}();

double peak() {
  return static_cast<double>(strict::counts().peak) / kGib;
}
double held() {
  return static_cast<double>(strict::counts().bytes) / kGib;
}

std::vector<MaskedSequence> sequence(std::int64_t length) {
  MaskedSequence row;
  for (std::int64_t t = 0; t < length; ++t) {
    row.ids.push_back(5);
    row.learn.push_back(t > length / 3 ? 1 : 0);
  }
  return {row};
}

std::vector<TokenId> tokens(std::int64_t count) {
  return std::vector<TokenId>(static_cast<std::size_t>(count), 5);
}

// A third of each row is its prompt.
std::vector<SequenceGroup> pair_of(std::int64_t length) {
  const std::int64_t prompt = length / 3;
  return {{tokens(prompt), {tokens(length - prompt), tokens(length - prompt)}}};
}

struct Measured {
  double forward = 0, backward = 0, gradients = 0;  // peaks, and what the gradients hold at the end
};

Measured supervised(std::int64_t length, bool checkpointing) {
  LanguageModel model = large_model("Llama-2-7b", {.training = true});
  model.gradient_checkpointing = checkpointing;
  const double weights = held();
  strict::reset_counts();
  Measured out;
  {
    const CompletionLogps logps = masked_logps(model, sequence(length), {});
    out.forward = peak();
    (-logps.tokens.mean()).backward();
    out.backward = peak();
  }
  out.gradients = held() - weights;
  return out;
}

double pair_peak(std::int64_t length, bool quantised, bool checkpointing) {
  LanguageModel model = large_model("Llama-2-7b", {.quantised = quantised, .lora = true});
  model.gradient_checkpointing = checkpointing;
  UpdateRule rule(trained_tensors(model), {});
  strict::reset_counts();
  (-completion_logps(model, pair_of(length), {}).sums().mean()).backward();
  rule.step(1e-5);
  return peak();
}

// Prefills, and takes two steps of drawing; later steps are of the same shapes.
void sample(LanguageModel& model, std::int64_t rows, std::int64_t prompts, std::int64_t prompt, std::int64_t most) {
  Decoder decoder(model);
  decoder.reserve({.prompts = prompts, .prompt_tokens = prompt, .rows = rows, .row_tokens = most});
  std::vector<std::size_t> slots, in_flight;
  while (static_cast<std::int64_t>(slots.size()) < prompts) {  // passes of 4,096 tokens, as the rollout makes them
    const std::int64_t some = std::min(4096 / prompt, prompts - static_cast<std::int64_t>(slots.size()));
    const auto more =
        decoder.add_prompts(std::vector<std::vector<TokenId>>(static_cast<std::size_t>(some), tokens(prompt)));
    slots.insert(slots.end(), more.begin(), more.end());
  }
  for (std::int64_t i = 0; i < rows; ++i) {
    in_flight.push_back(decoder.add_row(slots[static_cast<std::size_t>(i * prompts / rows)]));
  }
  const at::Tensor u = unwritten({rows}, at::kDouble);
  for (int step = 0; step < 2; ++step) {
    const at::Tensor logits = decoder.next(in_flight, tokens(rows));
    fetch_ids(draw_tokens(logits, {.temperature = 1, .top_p = 0.9}, u));
  }
}

// What `plan --gpus` says, in GiB.
class Planned {
 public:
  Planned() : recipe_("paper") {
    recipe_.add("rows", "dataset", Value::map({{"limit", 9000}}));
    recipe_.add("llama", "model", Value::map({{"config", llama_2_7b}, {"path", Value()}}), {}, "model");
  }
  // Of a stage that is added as the last one.
  double of(const char* kind, Value params, std::vector<StageInput> inputs, const char* output) {
    recipe_.add("stage", kind, std::move(params), std::move(inputs), output);
    const Plan plan = make_plan(recipe_.get(), ArtifactStore(folder_.path())).value();
    return static_cast<double>(estimate_on(*plan.find("stage"), plan, {}).value().bytes) / kGib;
  }
  TestRecipe& recipe() { return recipe_; }

 private:
  Folder folder_;
  TestRecipe recipe_;
};

Value training(std::int64_t length, const char* weights, bool checkpointing) {
  Value params = Value::map({{"learning_rate", 1e-5},
                             {"batch_size", 64},
                             {"micro_batch_size", 1},
                             {"max_length", length},
                             {"dtype", "bfloat16"},
                             {"weights", weights},
                             {"lora", Value::map({{"r", 8}})}});
  if (checkpointing) params.set("gradient_checkpointing", true);
  return params;
}

void expect_planned(double planned, double measured) {
  BOOST_TEST_MESSAGE("peak " << measured << " GiB, planned " << planned);
  BOOST_TEST(std::abs(planned / measured - 1) <= 0.15, "planned " << planned << " GiB, measured " << measured);
}
}  // namespace

BOOST_AUTO_TEST_SUITE(memory)

// Beside gradients and the optimizer's state.
BOOST_AUTO_TEST_CASE(a_row_of_2048_trains_in_16_gib) {
  const Measured m = supervised(2048, true);
  BOOST_TEST_MESSAGE("forward " << m.forward << ", backward " << m.backward << ", gradients " << m.gradients);
  BOOST_TEST(m.gradients > 12);
  BOOST_TEST(m.forward <= 16);
  BOOST_TEST(m.backward - m.gradients <= 16);
}

// All of it, at the update.
BOOST_AUTO_TEST_CASE(full_training_needs_what_is_planned) {
  LanguageModel model = large_model("Llama-2-7b", {.training = true});
  model.gradient_checkpointing = true;
  UpdateRule rule(trained_tensors(model), {.weight_decay = 0.1});
  strict::reset_counts();
  (-masked_logps(model, sequence(2048), {}).tokens.mean()).backward();
  BOOST_TEST(rule.gradient_norm() == 1);  // what a dry device says of every number
  rule.step(1e-5);
  Value params = training(2048, "full", true);
  params.set("lora", Value());
  Planned plan;
  expect_planned(plan.of("sft", std::move(params), {{"model", "llama"}, {"data", "rows"}}, "model"), peak());
}

BOOST_AUTO_TEST_CASE(rows_above_an_adapter_need_what_is_planned) {
  for (const bool checkpointing : {false, true}) {
    for (const std::int64_t length : {512, 2048}) {
      LanguageModel model = large_model("Llama-2-7b", {.lora = true});
      model.gradient_checkpointing = checkpointing;
      const UpdateRule rule(trained_tensors(model), {});
      strict::reset_counts();
      (-masked_logps(model, sequence(length), {}).tokens.mean()).backward();
      Planned plan;
      expect_planned(
          plan.of("sft", training(length, "full", checkpointing), {{"model", "llama"}, {"data", "rows"}}, "model"),
          peak());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_pair_of_1024_aligns_in_15_gib_and_over_8_bits_in_9) {
  for (const auto& [quantised, bar] : {std::pair{false, 15.0}, {true, 9.0}}) {
    for (const bool checkpointing : {true, false}) {
      const double measured = pair_peak(1024, quantised, checkpointing);
      if (checkpointing) BOOST_TEST(measured <= bar);
      Planned plan;
      plan.recipe().add("answers", "sample", Value::map({{"k", 2}}), {{"model", "llama"}, {"prompts", "rows"}},
                        "responses");
      plan.recipe().add("rewards", "score", Value::map(), {{"responses", "answers"}}, "scored");
      plan.recipe().add("pairs", "select", Value::map({{"max_pairs", 0}}), {{"scored", "rewards"}}, "pairs");
      expect_planned(plan.of("train", training(1024, quantised ? "int8" : "full", checkpointing),
                             {{"model", "llama"}, {"data", "pairs"}}, "model"),
                     measured);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_rows_of_a_sample_lie_in_64_gib) {
  LanguageModel model = large_model("Llama-2-7b", {});
  const double weights = held();
  strict::reset_counts();
  sample(model, 128, 128, 256, 512);
  BOOST_TEST(peak() <= 64);
  BOOST_TEST(peak() <= weights + 128 * (256 + 512) * 512.0 / (1 << 20) + 1);
  Planned plan;
  expect_planned(
      plan.of("sample",
              Value::map({{"k", 1}, {"max_new_tokens", 512}, {"generator", Value::map({{"dtype", "bfloat16"}})}}),
              {{"model", "llama"}, {"prompts", "rows"}}, "responses"),
      peak());
}

BOOST_AUTO_TEST_CASE(rollouts_with_8_bit_models_fit_20_gib) {
  LanguageModel policy = large_model("Llama-2-7b", {.quantised = true, .lora = true}),
                reward = large_model("pythia-6.9b", {.quantised = true, .reward = true});
  policy.gradient_checkpointing = true;
  const ValueHead head(policy);
  auto trained = trained_tensors(policy);
  for (const TrainedTensor& tensor : head.tensors()) trained.push_back(tensor);
  UpdateRule rule(trained, {});
  strict::reset_counts();
  sample(policy, 16, 16, 256, 512);
  const std::vector<SequenceGroup> answers(8, {tokens(256), {tokens(512)}});
  {
    const at::NoGradGuard no_grad;
    completion_rewards(reward, answers, {});
    completion_states(policy, answers, {});
    const AdaptersOff off;
    completion_logps(policy, answers, {});
  }
  const CompletionStates states = completion_states(policy, {answers.data(), 2}, {});
  (head(states.hidden).mean() - states.logps.tokens.mean()).backward();
  rule.step(1e-5);
  BOOST_TEST(peak() <= 20);
  Planned plan;
  const Value config =
      read_json(std::string(PLUMB_SOURCE_DIR) + "/recipes/paper/models/pythia-6.9b/config.json").value();
  plan.recipe().add("pythia", "model", Value::map({{"config", config}, {"path", Value()}}), {}, "model");
  plan.recipe().add("alone", "dataset", Value::map({{"limit", 9000}}), {}, "prompts");
  Value params = training(768, "int8", true);
  params.set("batch_size", 16);
  params.set("rollout", Value::map({{"max_new_tokens", 512}}));
  params.set("reward", Value::map({{"dtype", "bfloat16"}, {"weights", "int8"}}));
  expect_planned(
      plan.of("train", std::move(params), {{"model", "llama"}, {"data", "alone"}, {"reward_model", "pythia"}}, "model"),
      peak());
}

BOOST_AUTO_TEST_SUITE_END()
