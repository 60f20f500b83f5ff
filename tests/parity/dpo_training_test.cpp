// DPO against TRL's trainer: losses, rewards, gradient norms and weights after three updates (goldens/README.md).
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <boost/test/unit_test.hpp>

#include "framework/core/artifacts/test_folder.h"
#include "framework/engine/training/pair_objective.h"
#include "training_run.h"

namespace {
using namespace plumb;
using namespace plumb::test;
using boost::test_tools::tolerance;

double most_different(const at::Tensor& a, const at::Tensor& b) {
  return (a.detach() - b).abs().max().item<double>();
}

ReferenceLogps reference_of(LanguageModel& model, const PairRows& rows, RecordingContext& context) {
  const auto all = in_order(rows.pairs.size())(Random(0));
  return reference_logps(model, rows, all, {}, context);
}

// Three updates of two pairs in file order, as make_goldens.py ran them.
struct GoldenRun {
  test::Folder folder;
  RecordingContext context{folder.path()};
  LanguageModel model;
  Made<PairwiseOptimizer> dpo = optimizer<PairwiseOptimizer>("dpo");
  std::unique_ptr<PairObjective> objective;

  explicit GoldenRun(bool lora) : model(open_golden("micro-llama", {.training = true})) {
    if (lora) attach_golden_adapter(model, "lora_init");
    PairRows rows = golden_pairs();
    ReferenceLogps reference = reference_of(model, rows, context);
    objective = std::make_unique<PairObjective>(model, dpo, std::move(rows), std::move(reference));
    objective->expect_identity();
  }
  void run(double clip, double weight_decay, std::int64_t micro = 0) {
    TrainingSettings settings;
    settings.batch_size = 2;
    settings.micro_batch_size = micro;
    settings.learning_rate = 1e-3;
    settings.lr_scheduler_type = "cosine";
    settings.weight_decay = weight_decay;
    settings.max_grad_norm = clip;
    settings.logging_steps = 1;
    train({trained_tensors(model), objective.get(), in_order(6), nullptr}, settings, context);
  }
};

void compare_steps(const std::string& name, const RecordingContext& context) {
  const Value document = golden_json(name + ".json");
  const auto& steps = document.at("steps").as_list();
  BOOST_REQUIRE(context.rows.size() == steps.size());
  for (std::size_t s = 0; s < steps.size(); ++s) {
    BOOST_TEST_CONTEXT(name << " update " << s + 1) {
      const auto& row = context.rows[s].second;
      BOOST_TEST(row.at("loss") == steps[s].at("loss_exact").as_double(), tolerance(1e-5));
      BOOST_TEST(row.at("grad_norm") == steps[s].at("grad_norm").as_double(), tolerance(1e-4));
      BOOST_TEST(row.at("learning_rate") == steps[s].at("lr_used").as_double(), tolerance(1e-12));
    }
  }
}

void compare_weights(const std::string& name, const std::string& prefix, const LanguageModel& model, double bound) {
  const auto wanted = golden_tensors(name + ".safetensors");
  for (const Parameter* parameter : model.trainable()) {
    BOOST_TEST_CONTEXT(parameter->name) {
      BOOST_REQUIRE(wanted.find(prefix + parameter->name) != nullptr);
      BOOST_TEST(most_different(*parameter->tensor, wanted.tensor(prefix + parameter->name)) < bound);
    }
  }
}

// Figures of each pair by itself.
void compare_pairs(const Value::List& wanted, Objective& objective) {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::vector<std::size_t> one{i};
    const MicroLoss got = objective.micro_loss(one, objective.totals(one));
    BOOST_TEST_CONTEXT("pair " << i) {
      BOOST_TEST(got.share.item<double>() == wanted[i].at("loss").as_double(), tolerance(2e-5));
      for (const char* figure :
           {"rewards/chosen", "rewards/rejected", "rewards/margins", "logps/chosen", "logps/rejected"}) {
        BOOST_TEST_CONTEXT(figure) {
          BOOST_TEST(std::abs(got.metrics.at(figure) - wanted[i].at(figure).as_double()) <
                     2e-5 * (1 + std::abs(wanted[i].at(figure).as_double())));
        }
      }
    }
  }
}
}  // namespace

BOOST_AUTO_TEST_SUITE(dpo_parity)

BOOST_AUTO_TEST_CASE(losses_and_rewards_of_each_pair) {
  const test::Folder folder;
  RecordingContext context(folder.path());
  LanguageModel model = open_golden("micro-llama", {.training = true});
  attach_golden_adapter(model, "lora_eval");
  PairRows rows = golden_pairs();
  ReferenceLogps reference = reference_of(model, rows, context);  // the adapter is off, though its B is not zero
  const auto dpo = optimizer<PairwiseOptimizer>("dpo");
  PairObjective objective(model, dpo, std::move(rows), std::move(reference));
  const Value wanted = golden_json("dpo_eval.json");
  compare_pairs(wanted.at("pairs").as_list(), objective);
  BOOST_TEST(evaluate(objective, 4).at("loss") == wanted.at("batch_loss").as_double(), tolerance(1e-5));
}

BOOST_AUTO_TEST_CASE(three_updates_of_an_adapter) {
  GoldenRun run(true);
  run.run(1.0, 0);
  compare_steps("dpo_lora_steps", run.context);
  compare_weights("dpo_lora_steps", "step3.", run.model, 1e-5);
  compare_pairs(golden_json("dpo_lora_steps.json").at("after").as_list(), *run.objective);
}

BOOST_AUTO_TEST_CASE(three_updates_of_an_adapter_without_clipping) {
  GoldenRun run(true);
  run.run(0, 0);
  compare_steps("dpo_lora_steps_noclip", run.context);
  compare_weights("dpo_lora_steps_noclip", "step3.", run.model, 1e-5);
}

BOOST_AUTO_TEST_CASE(three_updates_of_all_weights) {
  GoldenRun run(false);
  run.run(1.0, 0.01);
  compare_steps("dpo_full_steps", run.context);
  compare_weights("dpo_full_steps", "step3.", run.model, 1e-4);
  const Value document = golden_json("dpo_full_steps.json");
  std::vector<std::string> undecayed;
  for (const TrainedTensor& tensor : trained_tensors(run.model)) {
    if (!tensor.decays) undecayed.push_back(tensor.name);
  }
  std::sort(undecayed.begin(), undecayed.end());
  std::vector<std::string> wanted;
  for (const Value& name : document.at("no_decay_names").as_list()) wanted.push_back(name.as_string());
  BOOST_TEST(undecayed == wanted, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(micro_batches_of_one_pair_change_nothing) {
  GoldenRun run(true);
  run.run(1.0, 0, /*micro=*/1);
  compare_steps("dpo_lora_steps", run.context);
  compare_weights("dpo_lora_steps", "step3.", run.model, 1e-5);
}

BOOST_AUTO_TEST_CASE(the_first_update_starts_at_ln_2_and_a_wrong_reference_is_refused) {
  GoldenRun run(true);
  run.run(1.0, 0);
  BOOST_TEST(run.context.rows[0].second.at("loss") == std::log(2.0), tolerance(1e-6));
  BOOST_REQUIRE(run.objective->identity_error().has_value());
  BOOST_TEST(*run.objective->identity_error() < 1e-4);

  GoldenRun wrong(true);
  load_golden_adapter(wrong.model, "lora_eval");  // B is not zero: the policy is not its reference
  try {
    wrong.run(1.0, 0);
    BOOST_FAIL("no error");
  } catch (const Error& error) {
    const std::string message = error.what();
    BOOST_TEST_CONTEXT(message) {
      BOOST_TEST(static_cast<int>(error.code()) == 1);
      BOOST_TEST(message.find("prompt golden-0") != std::string::npos);
      BOOST_TEST(message.find("under the reference") != std::string::npos);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
