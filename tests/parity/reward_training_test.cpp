// Bradley-Terry training of a GPT-NeoX reward model against TRL's trainer.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <boost/test/unit_test.hpp>

#include "framework/engine/training/score_objective.h"
#include "training_run.h"

BOOST_AUTO_TEST_SUITE(reward_model_parity)

BOOST_AUTO_TEST_CASE(loss_and_gradients) {
  using namespace plumb;
  using namespace plumb::test;
  LanguageModel model = open_golden("micro-neox-rm", {.training = true, .reward_head = true});
  PairRows rows = golden_pairs();
  rows.pairs.resize(4);
  const auto bradley_terry = optimizer<ScoreOptimizer>("bradley-terry");
  ScoreObjective objective(model, bradley_terry, std::move(rows));
  const std::vector<std::size_t> batch{0, 1, 2, 3};
  const BatchTotals totals = objective.totals(batch);
  double loss = 0;
  for (const auto micro : micro_batches(batch, 3)) {  // 3 pairs and 1
    const MicroLoss part = objective.micro_loss(micro, totals);
    loss += part.share.item<double>();
    part.share.backward();
  }
  const auto wanted = golden_tensors("rm.safetensors");
  BOOST_TEST(loss == wanted.tensor("loss").item<double>(), boost::test_tools::tolerance(1e-5));
  const auto difference = [&](const char* parameter, const char* name) {
    const at::Tensor target = wanted.tensor(name);
    const at::Tensor gradient = model.parameters->find(parameter)->tensor->grad();
    return ((gradient - target).abs().max() / target.abs().max()).item<double>();
  };
  BOOST_TEST(difference("score.weight", "grad.score.weight") < 1e-5);
  BOOST_TEST(difference("gpt_neox.embed_in.weight", "grad.embed_in") < 1e-5);
}

BOOST_AUTO_TEST_SUITE_END()
