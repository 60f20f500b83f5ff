// What must not depend on how a batch is laid out, and resuming with a real model: bits, not bounds.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tensor.h>

#include <boost/test/unit_test.hpp>

#include "framework/core/artifacts/test_folder.h"
#include "framework/engine/training/pair_objective.h"
#include "training_run.h"

namespace {
using namespace plumb;
using namespace plumb::test;

// Three prompts with five answers each, and every pair of answers of a prompt: a response stands in four pairs.
PairRows dense_pairs() {
  PairRows rows;
  Random random(11);
  const auto ids = [&](std::size_t n) {
    std::vector<TokenId> out;
    for (std::size_t i = 0; i < n; ++i) out.push_back(static_cast<TokenId>(4 + random.below(124)));
    return out;
  };
  for (std::size_t g = 0; g < 3; ++g) {
    SequenceGroup group{ids(3 + g), {}};
    group.prompt.front() = 1;
    for (int r = 0; r < 5; ++r) group.completions.push_back(ids(2 + random.below(6)));
    for (std::size_t c = 0; c < 5; ++c) {
      for (std::size_t r = c + 1; r < 5; ++r) rows.pairs.push_back({g, c, r, 1.0});
    }
    rows.groups.push_back(std::move(group));
    rows.names.push_back("prompt-" + std::to_string(g));
  }
  return rows;
}

std::map<std::string, at::Tensor> gradients(const LanguageModel& model) {
  std::map<std::string, at::Tensor> out;
  for (const TrainedTensor& tensor : trained_tensors(model)) {
    out[tensor.name] = tensor.value.grad().clone();
    tensor.value.mutable_grad().reset();
  }
  return out;
}

// Σ log π over one completion from plain logits of the whole sequence: no sharing, no packing.
at::Tensor plain_logp(LanguageModel& model, const std::vector<TokenId>& prompt,
                      const std::vector<TokenId>& completion) {
  std::vector<TokenId> sequence = prompt;
  sequence.insert(sequence.end(), completion.begin(), completion.end());
  const std::vector<std::vector<TokenId>> one{sequence};
  const at::Tensor logps = at::log_softmax(full_logits(model, one), -1);
  at::Tensor sum;
  for (std::size_t t = prompt.size(); t < sequence.size(); ++t) {
    const at::Tensor logp = logps[static_cast<std::int64_t>(t) - 1][sequence[t]];
    sum = sum.defined() ? sum + logp : logp;
  }
  return sum;
}

struct Dpo {
  test::Folder folder;
  RecordingContext context{folder.path()};
  LanguageModel model;
  Made<PairwiseOptimizer> optimizer = test::optimizer<PairwiseOptimizer>("dpo");
  std::unique_ptr<PairObjective> objective;
  PairRows rows = dense_pairs();
  // The adapter is not the start, so that log-ratios and weights of pairs differ.
  Dpo() : model(open_golden("micro-llama", {.training = true})) {
    attach_golden_adapter(model, "lora_eval");
    const auto all = in_order(rows.pairs.size())(Random(0));
    objective = std::make_unique<PairObjective>(model, optimizer, rows,
                                                reference_logps(model, rows, all, {.forward_tokens = 60}, context));
  }
};
}  // namespace

BOOST_AUTO_TEST_SUITE(training_invariance)

BOOST_AUTO_TEST_CASE(the_gradient_of_a_grouped_batch_is_the_pairwise_definitions) {
  Dpo run;
  std::vector<std::size_t> batch = in_order(run.rows.pairs.size())(Random(0));
  const MicroLoss grouped = run.objective->micro_loss(batch, run.objective->totals(batch));
  grouped.share.backward();
  const auto shared = gradients(run.model);

  double loss = 0;
  for (const auto& pair : run.rows.pairs) {
    const SequenceGroup& group = run.rows.groups[pair.group];
    const auto gap = [&] {
      return plain_logp(run.model, group.prompt, group.completions[pair.chosen]) -
             plain_logp(run.model, group.prompt, group.completions[pair.rejected]);
    };
    at::Tensor reference;
    {
      const at::NoGradGuard no_grad;
      const AdaptersOff off;
      reference = gap();
    }
    const at::Tensor value = -at::log_sigmoid(0.1 * (gap() - reference)) / static_cast<double>(batch.size());
    value.backward();
    loss += value.item<double>();
  }
  BOOST_TEST(grouped.share.item<double>() == loss, boost::test_tools::tolerance(1e-5));
  for (const auto& [name, gradient] : gradients(run.model)) {
    BOOST_TEST_CONTEXT(name) {
      BOOST_TEST(((shared.at(name) - gradient).abs().max() / gradient.abs().max()).item<double>() < 1e-4);
    }
  }
}

BOOST_AUTO_TEST_CASE(micro_batches_and_order_do_not_change_the_gradient) {
  Dpo run;
  std::vector<std::size_t> batch = in_order(run.rows.pairs.size())(Random(0));
  const BatchTotals totals = run.objective->totals(batch);
  run.objective->micro_loss(batch, totals).share.backward();
  const auto whole = gradients(run.model);
  Random random(3);
  random.shuffle(batch);
  for (const std::int64_t size : {1, 4, 7}) {
    for (const auto micro : micro_batches(batch, size)) run.objective->micro_loss(micro, totals).share.backward();
    for (const auto& [name, gradient] : gradients(run.model)) {
      BOOST_TEST_CONTEXT(name << " in micro-batches of " << size) {
        BOOST_TEST(((whole.at(name) - gradient).abs().max() / gradient.abs().max()).item<double>() < 1e-4);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(reference_values_come_back_from_disk_and_only_lost_parts_are_computed) {
  Dpo run;
  const auto all = in_order(run.rows.pairs.size())(Random(0));
  const ReferenceOptions options{.name = "parts", .tokens = true, .part_tokens = 30};
  const ReferenceLogps first = reference_logps(run.model, run.rows, all, options, run.context);
  BOOST_TEST(first.size() == 15U);
  // Another model would give other values: what is on disk is used.
  const auto weight = run.model.parameters->find("lm_head.weight");
  weight->tensor->detach().mul_(2);
  const ReferenceLogps again = reference_logps(run.model, run.rows, all, options, run.context);
  const std::vector<ReferenceLogps::Origin> origins{{0, 0}, {1, 3}, {2, 4}};
  BOOST_TEST(at::equal(first.sums(origins, at::kCPU), again.sums(origins, at::kCPU)));
  BOOST_TEST((first.tokens({1, 3}).sum() - first.sums(origins, at::kCPU)[1]).abs().item<double>() < 1e-5);
  std::filesystem::resize_file(run.context.work_folder() / "reference" / "parts-0.safetensors", 50);
  const ReferenceLogps repaired = reference_logps(run.model, run.rows, all, options, run.context);
  BOOST_TEST(!at::equal(first.sums(origins, at::kCPU), repaired.sums(origins, at::kCPU)));
  BOOST_TEST(at::equal(first.sums(origins, at::kCPU)[2], repaired.sums(origins, at::kCPU)[2]));
  BOOST_CHECK_THROW(static_cast<void>(first.sums(std::vector<ReferenceLogps::Origin>{{0, 9}}, at::kCPU)), Error);
}

BOOST_AUTO_TEST_CASE(stopping_at_any_update_leaves_the_same_weights) {
  TrainingSettings settings;  // 30 pairs: epochs of 4 updates, the last one short
  settings.batch_size = 8;
  settings.micro_batch_size = 5;
  settings.num_train_epochs = 2;
  settings.learning_rate = 1e-3;
  settings.warmup_ratio = 0.2;
  settings.save_steps = 3;
  settings.logging_steps = 3;
  const auto run_with = [&](const std::filesystem::path& folder, std::size_t stop) {
    RecordingContext context(folder);
    context.stop_after = stop;
    LanguageModel model = open_golden("micro-llama", {.training = true});
    attach_golden_adapter(model, "lora_init");
    const auto dpo = test::optimizer<PairwiseOptimizer>("dpo");
    const PairRows rows = dense_pairs();
    const EpochOrder order = pair_order("capped", 3, rows.group_of_pair());
    const auto visited = batch_plan(rows.pairs.size(), order, settings, context.random()).visited();
    PairObjective objective(model, dpo, rows, reference_logps(model, rows, visited, {}, context));
    objective.expect_identity();
    train({trained_tensors(model), &objective, order, nullptr}, settings, context);
    std::map<std::string, at::Tensor> weights;
    for (const TrainedTensor& tensor : trained_tensors(model)) weights[tensor.name] = tensor.value.detach().clone();
    return weights;
  };
  const test::Folder straight_folder;
  const auto straight = run_with(straight_folder.path(), 1000);
  for (std::size_t stop = 1; stop < 8; ++stop) {
    const test::Folder folder;
    BOOST_CHECK_THROW(run_with(folder.path(), stop), Cancelled);
    for (const auto& [name, tensor] : run_with(folder.path(), 1000)) {
      BOOST_TEST_CONTEXT(name << ", stopped after update " << stop) {
        BOOST_TEST(at::equal(tensor, straight.at(name)));
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
