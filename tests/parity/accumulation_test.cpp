// Supervised fine-tuning and reward-model training: a batch is one batch however it is cut, packed or ordered. The
// gradient of micro-batches in any order is compared with the definition, one sequence at a time: a mean over all
// learnt tokens of the batch for demonstrations (not a mean of means), over pairs for reward models.
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/log_softmax.h>

#include <boost/test/unit_test.hpp>

#include "framework/engine/training/score_objective.h"
#include "framework/engine/training/token_objective.h"
#include "training_run.h"

namespace {
using namespace plumb;
using namespace plumb::test;

std::map<std::string, at::Tensor> take_gradients(const LanguageModel& model) {
  std::map<std::string, at::Tensor> out;
  for (const TrainedTensor& tensor : trained_tensors(model)) {
    out[tensor.name] = tensor.value.grad().clone();
    tensor.value.mutable_grad().reset();
  }
  return out;
}

// Of tensors whose gradient is all but zero, rounding is compared with the others' size.
double farthest(const std::map<std::string, at::Tensor>& a, const std::map<std::string, at::Tensor>& b) {
  double largest = 0, most = 0;
  for (const auto& [name, gradient] : b) largest = std::max(largest, gradient.abs().max().item<double>());
  for (const auto& [name, gradient] : b) {
    const double size = std::max(gradient.abs().max().item<double>(), 1e-3 * largest);
    most = std::max(most, (a.at(name) - gradient).abs().max().item<double>() / size);
  }
  return most;
}

// Seven conversations of 4 to 25 tokens; of some a single token is learnt, of others nearly all.
TokenRows uneven_rows() {
  TokenRows rows;
  for (std::uint64_t i = 0; i < 7; ++i) {
    Random random = Random(5).derive(i);
    MaskedSequence row;
    const std::size_t length = 4 + random.below(22);
    for (std::size_t t = 0; t < length; ++t) {
      row.ids.push_back(static_cast<TokenId>(4 + random.below(124)));
      row.learn.push_back(t > 0 && (i % 2 == 0 ? t + 1 == length : random.below(8) != 0) ? 1 : 0);
    }
    row.learn.back() = 1;
    rows.rows.push_back(std::move(row));
    rows.names.push_back("row-" + std::to_string(i));
  }
  return rows;
}

double loss_in_micro_batches(Objective& objective, std::vector<std::size_t> batch, std::int64_t size) {
  const BatchTotals totals = objective.totals(batch);
  double loss = 0;
  for (const auto micro : micro_batches(batch, size)) {
    const MicroLoss part = objective.micro_loss(micro, totals);
    loss += part.share.item<double>();
    part.share.backward();
  }
  return loss;
}

void check_every_cut(LanguageModel& model, Objective& objective, double wanted_loss,
                     const std::map<std::string, at::Tensor>& wanted) {
  std::vector<std::size_t> batch = in_order(objective.size())(Random(0));
  Random random(3);
  for (const std::int64_t size : {7, 1, 2, 5}) {
    BOOST_TEST_CONTEXT("micro-batches of " << size) {
      BOOST_TEST(loss_in_micro_batches(objective, batch, size) == wanted_loss, boost::test_tools::tolerance(1e-5));
      BOOST_TEST(farthest(take_gradients(model), wanted) < 1e-4);
    }
    random.shuffle(batch);
  }
}
}  // namespace

BOOST_AUTO_TEST_SUITE(accumulation)

BOOST_AUTO_TEST_CASE(demonstrations_weigh_by_tokens) {
  for (const char* name : {"micro-llama", "micro-neox"}) {
    LanguageModel model = open_golden(name, {.training = true, .tokenizer = false});
    const TokenRows rows = uneven_rows();
    at::Tensor total;
    std::int64_t learnt = 0;
    for (const MaskedSequence& row : rows.rows) {
      const std::vector<std::vector<TokenId>> one{row.ids};
      const at::Tensor logps = at::log_softmax(full_logits(model, one), -1);
      for (std::size_t t = 1; t < row.ids.size(); ++t) {
        if (row.learn[t] == 0) continue;
        const at::Tensor logp = logps[static_cast<std::int64_t>(t) - 1][row.ids[t]];
        total = total.defined() ? total + logp : logp;
        ++learnt;
      }
    }
    const at::Tensor wanted = -total / static_cast<double>(learnt);
    wanted.backward();
    const auto gradients = take_gradients(model);
    const auto sft = optimizer<TokenOptimizer>("sft");
    TokenObjective objective(model, sft, rows);
    check_every_cut(model, objective, wanted.item<double>(), gradients);
  }
}

BOOST_AUTO_TEST_CASE(rewards_weigh_by_pairs) {
  LanguageModel model = open_golden("micro-neox-rm", {.training = true, .reward_head = true, .tokenizer = false});
  PairRows rows = golden_pairs();
  at::Tensor total;
  for (const auto& pair : rows.pairs) {
    const SequenceGroup& group = rows.groups[pair.group];
    const auto score = [&](std::size_t completion) {
      const SequenceGroup alone{group.prompt, {group.completions[completion]}};
      return completion_rewards(model, {&alone, 1}, {.share_prompt = false})[0];
    };
    const at::Tensor value = -at::log_sigmoid(score(pair.chosen) - score(pair.rejected));
    total = total.defined() ? total + value : value;
  }
  const at::Tensor wanted = total / static_cast<double>(rows.pairs.size());
  wanted.backward();
  const auto gradients = take_gradients(model);
  const auto bradley_terry = optimizer<ScoreOptimizer>("bradley-terry");
  ScoreObjective objective(model, bradley_terry, std::move(rows));
  check_every_cut(model, objective, wanted.item<double>(), gradients);
}

BOOST_AUTO_TEST_SUITE_END()
