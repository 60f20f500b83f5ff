#include "framework/core/pipeline/accelerator.h"

#include <boost/test/unit_test.hpp>

#include "framework/core/artifacts/test_folder.h"
#include "framework/core/pipeline/estimate.h"
#include "framework/core/pipeline/test_recipe.h"

using plumb::Value;

namespace {

const Value& kLlama = plumb::test::llama_2_7b;
const double kParameters = 6738415616, kHead = 32000.0 * 4096, kGib = 1 << 30;
const auto near = boost::test_tools::tolerance(1e-9);

struct Chain {
  explicit Chain(Value training, Value aligned = Value::map()) : recipe("paper") {
    recipe.add("rows", "dataset", Value::map({{"limit", 9000}}));
    recipe.add("llama", "model", Value::map({{"config", kLlama}, {"path", Value()}}), {}, "model");
    recipe.add("sft", "sft", std::move(training), {{"model", "llama"}, {"data", "rows"}}, "model");
    recipe.add("answers", "sample",
               Value::map({{"k", 16}, {"max_new_tokens", 512}, {"generator", Value::map({{"dtype", "bfloat16"}})}}),
               {{"model", "sft"}, {"prompts", "rows"}}, "responses");
    recipe.add("rewards", "score", Value::map(), {{"responses", "answers"}}, "scored");
    recipe.add("pairs", "select", Value::map({{"max_pairs", 0}}), {{"scored", "rewards"}}, "pairs");
    recipe.add("few", "select", Value::map({{"max_pairs", 500}}), {{"scored", "rewards"}}, "pairs");
    recipe.add("alone", "dataset", Value::map({{"limit", 9000}}), {}, "prompts");
    recipe.add("ppo", "train",
               Value::map({{"learning_rate", 2e-5},
                           {"batch_size", 64},
                           {"max_steps", 100},
                           {"lora", Value::map({{"r", 8}})},
                           {"rollout", Value::map({{"max_new_tokens", 512}, {"inner_epochs", 4}})}}),
               {{"model", "sft"}, {"data", "alone"}}, "model");
    recipe.add("aligned", "train", std::move(aligned), {{"model", "sft"}, {"data", "pairs"}}, "model");
    recipe.add("aligned-on-few", "train", Value::map(), {{"model", "sft"}, {"data", "few"}}, "model");
  }
  [[nodiscard]] plumb::GpuEstimate of(const char* stage) {
    plan = plumb::make_plan(recipe.get(), plumb::ArtifactStore(folder.path())).value();
    return plumb::estimate_on(*plan.find(stage), plan, {}).value();
  }
  plumb::test::Folder folder;
  plumb::test::TestRecipe recipe;
  plumb::Plan plan;
};

Value sft() {
  return Value::map({{"learning_rate", 2e-5},
                     {"batch_size", 64},
                     {"micro_batch_size", 8},
                     {"num_train_epochs", 2.0},
                     {"max_length", 4096},
                     {"dtype", "bfloat16"}});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(accelerator)

// 9,000 rows, twice, 512 tokens, 6 operations a weight and 2 more for logits that are computed again, at 40 % of 312e12.
BOOST_AUTO_TEST_CASE(full_training_takes_six_operations_a_weight_and_token) {
  Chain chain(sft());
  BOOST_TEST(*chain.of("sft").seconds == (6 * kParameters + 2 * kHead) * 9000 * 2 * 512 / (312e12 * 0.4), near);
}

BOOST_AUTO_TEST_CASE(adapters_save_moments_and_a_third_of_the_work) {
  Value lora = sft();
  lora.set("lora", Value::map({{"r", 8}}));
  Chain chain(lora);
  BOOST_TEST(*chain.of("sft").seconds == (4 * kParameters + 2 * kHead) * 9000 * 2 * 512 / (312e12 * 0.4), near);
}

// Measured on the code, on a device that only counts (tests/device/memory): at the peak of a row 2.41 and 9.45 GiB are
// there beside the weights. Flash attention keeps nothing that grows with the square of the length.
BOOST_AUTO_TEST_CASE(activations_are_those_that_flash_attention_leaves) {
  for (const auto& [length, measured] : {std::pair{512, 2.41}, {2048, 9.45}}) {
    Value lora = sft();
    lora.set("lora", Value::map({{"r", 8}}));
    lora.set("micro_batch_size", 1);
    lora.set("max_length", length);
    Chain chain(lora);
    const double frozen = 2 * kParameters + 32.0 * 8 * (4096 + 4096) * 2 * 16;
    const double kept = (static_cast<double>(chain.of("sft").bytes) - frozen) / kGib;
    BOOST_TEST(kept == measured, boost::test_tools::tolerance(0.02));
  }
}

// 2 bytes for each of 4,096 numbers a token and layer, and what one of the 32 layers keeps by itself; a layer is computed
// three times, and so the two operations of its forward pass are done once more.
BOOST_AUTO_TEST_CASE(layers_that_are_computed_again_keep_their_inputs) {
  Value lora = sft();
  lora.set("lora", Value::map({{"r", 8}}));
  lora.set("micro_batch_size", 1);
  lora.set("max_length", 2048);
  const auto kept = [&](bool again) {
    lora.set("gradient_checkpointing", again);
    Chain chain(lora);
    const double frozen = 2 * kParameters + 32.0 * 8 * (4096 + 4096) * 2 * 16;
    return static_cast<double>(chain.of("sft").bytes) - frozen;
  };
  BOOST_TEST(kept(true) == 32 * 2048 * 4096 * 2.0 + kept(false) / 32, near);
  lora.set("lora", Value());
  Chain chain(lora);
  BOOST_TEST(*chain.of("sft").seconds == (8 * kParameters + 2 * kHead) * 9000 * 2 * 512 / (312e12 * 0.4), near);
}

// Measured likewise, for DPO above an adapter: the peak of one pair whose prompt is a third of the row.
BOOST_AUTO_TEST_CASE(a_pair_shares_its_prompt) {
  struct Case {
    int length;
    const char* weights;
    double measured;
  };
  for (const Case& c : {Case{1024, "full", 20.51}, {1024, "int8", 14.49}}) {
    Value dpo = sft();
    dpo.set("lora", Value::map({{"r", 8}}));
    dpo.set("micro_batch_size", 1);
    dpo.set("max_length", c.length);
    dpo.set("weights", c.weights);
    Chain chain(sft(), dpo);
    BOOST_TEST(static_cast<double>(chain.of("aligned").bytes) / kGib == c.measured,
               boost::test_tools::tolerance(0.015));
  }
}

// 128 answers of 512 tokens are in flight, at worst to as many prompts of 256: 48 GiB of keys and values, taken at once.
// The rows in flight count, not the 16 answers to a prompt. 13.5 GB of weights are read for every step.
BOOST_AUTO_TEST_CASE(sampling_holds_the_rows_in_flight) {
  Chain chain(sft());
  const auto one = chain.of("answers");
  BOOST_TEST(static_cast<double>(one.bytes) / kGib == 12.551 + 128 * (256 + 512) * 0.5 / 1024,
             boost::test_tools::tolerance(1e-4));
  const double cache = 512.0 * 2 * 32 * 4096 * 2;
  const double steps = 9000.0 * 16 / 128 * 512;
  BOOST_TEST(*one.seconds == steps * (2 * kParameters + 128 * cache / 2) / 1.555e12, near);
}

// What another program's engine samples takes nothing of this machine's GPU; the model is opened to be compared.
BOOST_AUTO_TEST_CASE(sampling_elsewhere_is_no_matter_of_the_gpu) {
  plumb::KnownComponent served{{}, nullptr};
  served.info.needs = {"language-models", "server"};
  for (const std::int64_t probe : {8, 0}) {
    Chain chain(sft());
    plumb::StageSpec& answers = chain.recipe.get().stages.at(3);
    answers.params.set("generator", Value::map({{"dtype", "bfloat16"}, {"probe", probe}}));
    const auto plan = plumb::make_plan(chain.recipe.get(), plumb::ArtifactStore(chain.folder.path())).value();
    answers.components.push_back({"generator", &served});  // behind the plan, which would look for its file
    BOOST_TEST(!plumb::estimate_on(*plan.find("answers"), plan, {}).has_value());
    BOOST_TEST(static_cast<double>(plumb::estimate(*plan.find("answers"), plan).memory_bytes.value()) ==
               (probe > 0 ? 2 * kParameters : 0));
  }
}

// 6,400 answers of 512 tokens, 64 at once: sampled with float32 weights, which are read for every step; then policy and
// reference forwards (2 + 2) and four visits of an adapter (4 each).
BOOST_AUTO_TEST_CASE(an_online_optimizer_samples_and_visits_its_answers) {
  Chain chain(sft());
  const double cache = 512.0 * 2 * 32 * 4096 * 4;
  const double sampling = 6400.0 / 64 * 512 * (4 * kParameters + 64 * cache / 2) / 1.555e12;
  const double computing = ((4 + 4 * 4) * kParameters + 4 * 2 * kHead) * 6400 * 512 / (312e12 * 0.4);
  BOOST_TEST(*chain.of("ppo").seconds == sampling + computing, near);
}

BOOST_AUTO_TEST_CASE(rows_follow_limits_and_are_unknown_without) {
  Chain chain(sft());
  chain.plan = plumb::make_plan(chain.recipe.get(), plumb::ArtifactStore(chain.folder.path())).value();
  BOOST_TEST(*plumb::rows_into(*chain.plan.find("sft"), chain.plan) == 9000);
  BOOST_TEST(*plumb::rows_into(*chain.plan.find("rewards"), chain.plan) == 9000 * 16);
  BOOST_TEST(*plumb::rows_into(*chain.plan.find("aligned"), chain.plan) == 9000);
  BOOST_TEST(*plumb::rows_into(*chain.plan.find("aligned-on-few"), chain.plan) == 500);
  plumb::test::TestRecipe recipe("open");
  recipe.add("rows", "dataset", Value::map({{"limit", 0}, {"source", Value::map({{"name", "hh-rlhf"}})}}));
  const auto plan = plumb::make_plan(recipe.get(), plumb::ArtifactStore(chain.folder.path())).value();
  BOOST_TEST(!plumb::rows_into(*plan.find("rows"), plan));
}

BOOST_AUTO_TEST_SUITE_END()
