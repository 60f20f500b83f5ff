// What an UnpairedOptimizer sees on micro-llama, and the gradient of its loss.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/where.h>

#include <boost/test/unit_test.hpp>

#include "framework/core/artifacts/test_folder.h"
#include "framework/engine/training/unpaired_objective.h"
#include "training_run.h"

namespace {
using namespace plumb;
using namespace plumb::test;

// KTO (arXiv:2402.01306, equation 8) with equal weights; it keeps the last batch.
class Kto final : public UnpairedOptimizer {
 public:
  Loss loss(const UnpairedBatch& b) override {
    seen = b;
    const at::Tensor ratio = b.policy - b.reference;
    const at::Tensor kl = (b.policy_mismatched - b.reference_mismatched).mean().clamp_min(0);
    const at::Tensor gain = at::where(b.desirable, ratio - kl, kl - ratio);
    return {(1 - at::sigmoid(0.1 * gain)).mean(), {}};
  }
  UnpairedBatch seen;
};

UnpairedRows golden_rows() {
  const PairRows pairs = golden_pairs();
  UnpairedRows out;
  out.rows.groups = pairs.groups;
  out.rows.names = pairs.names;
  for (std::size_t g = 0; g < pairs.groups.size(); ++g) {
    const auto& other = pairs.groups[(g + 1) % pairs.groups.size()].completions[0];
    out.rows.groups[g].completions.push_back(other);
    for (const std::size_t answer : {0, 1}) {
      out.rows.pairs.push_back({g, answer, 2, 0.0});
      out.desirable.push_back(answer == 0 ? 1 : 0);
    }
  }
  return out;
}

struct Run {
  test::Folder folder;
  RecordingContext context{folder.path()};
  LanguageModel policy = open_golden("micro-llama", {.training = true});
  std::shared_ptr<Kto> kto = std::make_shared<Kto>();
  UnpairedRows rows = golden_rows();
  std::unique_ptr<UnpairedObjective> objective;

  Run() {
    attach_golden_adapter(policy, "lora_init");
    const auto all = in_order(rows.rows.pairs.size())(Random(0));
    ReferenceLogps reference = reference_logps(policy, rows.rows, all, {}, context);
    objective = std::make_unique<UnpairedObjective>(policy, Made<UnpairedOptimizer>(kto, "kto", "test"), rows,
                                                    std::move(reference), UnpairedOptions{true, true});
  }
  double loss(std::span<const std::size_t> batch) {
    return objective->micro_loss(batch, objective->totals(batch)).share.item<double>();
  }
};

double plain_sum(LanguageModel& model, const std::vector<TokenId>& prompt, const std::vector<TokenId>& answer) {
  const std::vector<SequenceGroup> one{{prompt, {answer}}};
  return completion_logps(model, one, {.share_prompt = false}).sums()[0].item<double>();
}
}  // namespace

BOOST_AUTO_TEST_SUITE(unpaired_training)

BOOST_AUTO_TEST_CASE(at_the_reference_every_ratio_is_0_and_kto_is_one_half) {
  Run run;
  run.objective->starting(0);
  const std::vector<std::size_t> batch{0, 1, 2, 3};
  BOOST_TEST(run.loss(batch) == 0.5, boost::test_tools::tolerance(1e-5));
}

BOOST_AUTO_TEST_CASE(the_batch_holds_sums_of_the_answer_and_of_the_other_prompts_answer) {
  Run run;
  const at::NoGradGuard no_grad;
  for (const Parameter* parameter : run.policy.trainable()) {
    parameter->tensor->add_(0.1 * at::randn(parameter->tensor->sizes()));
  }
  const std::vector<std::size_t> batch{7, 2, 3, 10};
  run.loss(batch);
  const UnpairedBatch& seen = run.kto->seen;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto& pair = run.rows.rows.pairs[batch[i]];
    const SequenceGroup& group = run.rows.rows.groups[pair.group];
    const auto place = static_cast<std::int64_t>(i);
    const auto near = [&](const at::Tensor& got, double wanted) {
      return std::abs(got[place].item<double>() - wanted) < 1e-3;
    };
    BOOST_TEST(near(seen.policy, plain_sum(run.policy, group.prompt, group.completions[pair.chosen])));
    BOOST_TEST(near(seen.policy_mismatched, plain_sum(run.policy, group.prompt, group.completions[pair.rejected])));
    const AdaptersOff off;
    BOOST_TEST(near(seen.reference, plain_sum(run.policy, group.prompt, group.completions[pair.chosen])));
    BOOST_TEST(near(seen.reference_mismatched, plain_sum(run.policy, group.prompt, group.completions[pair.rejected])));
    BOOST_TEST(seen.desirable[place].item<bool>() == (batch[i] % 2 == 0));
    BOOST_TEST(near(seen.length, static_cast<double>(group.completions[pair.chosen].size())));
  }
}

BOOST_AUTO_TEST_CASE(the_gradient_is_that_of_finite_differences_with_the_kl_held_fixed) {
  Run run;
  {
    const at::NoGradGuard no_grad;
    for (const Parameter* parameter : run.policy.trainable())
      parameter->tensor->add_(0.05 * at::randn(parameter->tensor->sizes()));
  }
  const std::vector<std::size_t> batch{0, 1, 6, 7};
  run.objective->micro_loss(batch, run.objective->totals(batch)).share.backward();
  const UnpairedBatch seen = run.kto->seen;
  BOOST_TEST(!seen.policy_mismatched.requires_grad());
  // d loss / d policy sums in closed form, carried to one weight by finite differences of the sums.
  const at::Tensor kl = (seen.policy_mismatched - seen.reference_mismatched).mean().clamp_min(0);
  const at::Tensor sign = at::where(seen.desirable, 1.0, -1.0);
  const at::Tensor s = at::sigmoid(0.1 * sign * ((seen.policy - seen.reference) - kl)).detach();
  const at::Tensor slope = -0.1 * sign * s * (1 - s) / 4;
  const Parameter* weight = run.policy.trainable()[1];
  const at::NoGradGuard no_grad;
  const double h = 1e-2;
  for (const std::int64_t place : {0, 5, 17}) {
    at::Tensor cell = weight->tensor->view({-1})[place];
    const auto sums_at = [&](double shift) {
      cell.add_(shift);
      run.loss(batch);
      cell.sub_(shift);
      return run.kto->seen.policy.to(at::kDouble);
    };
    const double wanted = (slope.to(at::kDouble) * (sums_at(h) - sums_at(-h)) / (2 * h)).sum().item<double>();
    const double got = weight->tensor->grad().view({-1})[place].item<double>();
    BOOST_TEST((std::abs(got - wanted) < 1e-3 * std::abs(wanted) + 2e-5));
  }
}

BOOST_AUTO_TEST_CASE(micro_batches_share_the_loss) {
  Run run;
  const std::vector<std::size_t> batch{0, 1, 2, 3, 4, 5};
  const BatchTotals totals = run.objective->totals(batch);
  BOOST_TEST(totals.examples == 6);
  const double whole = run.loss(batch);
  double sum = 0;
  for (const auto part : micro_batches(batch, 4)) sum += run.objective->micro_loss(part, totals).share.item<double>();
  BOOST_TEST(sum == whole, boost::test_tools::tolerance(1e-5));
}

BOOST_AUTO_TEST_SUITE_END()
