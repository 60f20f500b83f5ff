// Online training on micro-llama: what an OnlineOptimizer sees, that it learns, and that a run stopped at any update
// ends with the same bits.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros_like.h>

#include <boost/test/unit_test.hpp>
#include <memory>

#include "framework/core/artifacts/test_folder.h"
#include "framework/engine/training/online_objective.h"
#include "training_run.h"

namespace {
using namespace plumb;
using namespace plumb::test;

// An id a byte of text from '0' on; 1 is BOS, 2 EOS.
class Digits final : public Tokenizer {
 public:
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, bool) const override {
    std::vector<TokenId> ids;
    for (const char c : text) ids.push_back(static_cast<TokenId>(4 + static_cast<unsigned char>(c) % 100));
    return ids;
  }
  [[nodiscard]] std::vector<TokenId> encode_with_special(std::string_view text) const override {
    return encode(text, false);
  }
  [[nodiscard]] std::string decode(std::span<const TokenId> ids, bool) const override {
    std::string text;
    for (const TokenId id : ids) text += id == 2 ? "" : std::to_string(id) + " ";
    return text;
  }
  [[nodiscard]] std::string piece_bytes(TokenId id) const override { return std::to_string(id); }
  [[nodiscard]] std::optional<TokenId> find(std::string_view) const override { return std::nullopt; }
  [[nodiscard]] std::size_t vocabulary_size() const override { return 128; }
  [[nodiscard]] SpecialTokens special() const override { return {.bos = 1, .eos = 2}; }
  [[nodiscard]] std::vector<std::string> files() const override { return {}; }
};

// Share of an answer's tokens with an even id.
std::vector<std::vector<double>> evenness(std::span<const ResponseGroup> groups) {
  std::vector<std::vector<double>> rewards;
  for (const ResponseGroup& group : groups) {
    auto& row = rewards.emplace_back();
    for (const Response& response : group.responses) {
      double even = 0;
      for (const TokenId id : response.ids) even += id % 2 == 0 ? 1 : 0;
      row.push_back(even / static_cast<double>(response.ids.size()));
    }
  }
  return rewards;
}

const Value kParams = Value::map({{"kl_control", "adaptive"}, {"kl_target", 0.5}, {"kl_horizon", 100}});

// A policy with an adapter and everything that a run needs: what one process has.
struct Process {
  explicit Process(RolloutParams params, const Value& optimizer_params = kParams, std::int64_t batch = 8)
      : policy(open_golden("micro-llama", {.training = true, .tokenizer = false})),
        ppo(optimizer<OnlineOptimizer>("ppo", optimizer_params)) {
    policy.tokenizer = std::make_shared<Digits>();
    policy.chat_format = find_chat_format("plain");
    attach_golden_adapter(policy, "lora_init");
    for (int i = 0; i < 5; ++i) {
      Prompt prompt{"p" + std::to_string(i), {{"user", "question " + std::to_string(i * i)}}, {}};
      auto ids = policy.chat_format->render_prompt(*policy.tokenizer, prompt.messages).value();
      prompts.push_back({std::move(prompt), std::move(ids)});
    }
    objective = std::make_unique<OnlineObjective>(OnlinePlayers{policy, &policy, ppo, true, nullptr}, prompts, params,
                                                  batch, evenness, host(), Random(3));
  }
  TrainingRun run() {
    TrainingRun run{.tensors = trained_tensors(policy), .train = objective.get(), .order = shuffled(objective->size())};
    for (TrainedTensor& tensor : objective->value_tensors()) run.tensors.push_back(tensor);
    run.updates_per_step = objective->updates_per_step();
    run.measure = [this] { return objective->measure(prompts); };
    return run;
  }
  LanguageModel policy;
  Made<OnlineOptimizer> ppo;
  std::vector<PromptRow> prompts;
  std::unique_ptr<OnlineObjective> objective;
};

RolloutParams rollout() {
  RolloutParams params;
  params.responses = 2;
  params.max_new_tokens = 6;
  params.temperature = 0.8;
  params.inner_epochs = 2;
  params.mini_batches = 2;
  return params;
}

TrainingSettings settings(std::int64_t steps) {
  TrainingSettings s;
  s.batch_size = 4;  // of an update: 8 answers in 2 mini-batches
  s.micro_batch_size = 3;
  s.learning_rate = 1e-3;
  s.max_steps = steps * 4;
  s.logging_steps = 1;
  s.eval_steps = 2;
  s.save_steps = 1;
  return s;
}

// log softmax(logits / temperature)[token] of one sequence by itself.
std::vector<double> plain_logps(LanguageModel& model, const std::vector<TokenId>& prompt,
                                const std::vector<TokenId>& answer, double temperature) {
  const at::NoGradGuard no_grad;
  std::vector<TokenId> row = prompt;
  row.insert(row.end(), answer.begin(), answer.end());
  const std::vector<std::vector<TokenId>> rows{row};
  const at::Tensor logps = at::log_softmax(full_logits(model, rows) / temperature, 1);
  std::vector<double> out;
  for (std::size_t t = 0; t < answer.size(); ++t) {
    out.push_back(logps[static_cast<std::int64_t>(prompt.size() + t) - 1][answer[t]].item<double>());
  }
  return out;
}

double most(const at::Tensor& difference) {
  return difference.abs().max().item<double>();
}
}  // namespace

BOOST_AUTO_TEST_SUITE(online_training)

BOOST_AUTO_TEST_CASE(rollouts_hold_policy_reference_and_values_of_each_token) {
  Process process(rollout());
  const at::NoGradGuard no_grad;
  for (const Parameter* parameter : process.policy.trainable()) {  // an adapter that says something
    parameter->tensor->add_(0.1 * at::randn(parameter->tensor->sizes()));
  }
  const auto head = process.objective->value_tensors();
  head[0].value.copy_(at::randn(head[0].value.sizes()));
  process.objective->starting(0);
  const RolloutBatch& batch = process.objective->rollouts();
  std::int64_t row = 0;
  for (const SequenceGroup& group : process.objective->groups()) {
    for (const auto& answer : group.completions) {
      const auto policy = plain_logps(process.policy, group.prompt, answer, 0.8);
      const AdaptersOff off;
      const auto reference = plain_logps(process.policy, group.prompt, answer, 0.8);
      BOOST_TEST(batch.logps.length(row) == static_cast<std::int64_t>(answer.size()));
      for (std::size_t t = 0; t < answer.size(); ++t) {
        const auto column = static_cast<std::int64_t>(t);
        BOOST_TEST(std::abs(batch.logps[row][column].item<double>() - policy[t]) < 1e-4);
        BOOST_TEST(std::abs(batch.reference_logps[row][column].item<double>() - reference[t]) < 1e-4);
      }
      ++row;
    }
  }
  BOOST_TEST(row == 8);
  BOOST_TEST(most(batch.logps.values - batch.reference_logps.values) > 0.01);

  // The value of a token is read before it: from the hidden state that predicts it.
  const SequenceGroup first{process.objective->groups()[0].prompt, {process.objective->groups()[0].completions[0]}};
  const std::vector<SequenceGroup> one{first};
  const at::Tensor hidden = completion_states(process.policy, one, {}).hidden;
  const at::Tensor wanted = (hidden * head[0].value).sum(1);
  BOOST_TEST(most(batch.values[0] - wanted) < 1e-4);
}

BOOST_AUTO_TEST_CASE(prompts_come_in_epochs_and_a_prompt_that_returns_is_answered_anew) {
  Process process(rollout());
  std::map<std::vector<TokenId>, std::vector<std::vector<std::vector<TokenId>>>> answers;
  for (std::int64_t step = 0; step < 5; ++step) {  // 4 prompts a step, 5 prompts: 4 epochs
    process.objective->starting(step * 4);
    for (const SequenceGroup& group : process.objective->groups()) {
      BOOST_TEST(group.completions.size() == 2u);
      answers[group.prompt].push_back(group.completions);
    }
  }
  BOOST_TEST(answers.size() == 5u);
  for (const auto& [prompt, visits] : answers) {
    BOOST_TEST(visits.size() == 4u);
    for (std::size_t i = 1; i < visits.size(); ++i) BOOST_TEST((visits[i] != visits[0]));
  }
}

BOOST_AUTO_TEST_CASE(micro_batches_give_the_gradient_of_the_mini_batch) {
  const auto gradient = [](std::int64_t micro) {
    Process process(rollout(), kParams);
    process.objective->starting(0);
    std::vector<std::size_t> batch{5, 0, 3, 6, 1, 2};
    process.objective->arrange(batch);
    const BatchTotals totals = process.objective->totals(batch);
    for (const auto part : micro_batches(batch, micro)) {
      process.objective->micro_loss(part, totals).share.backward();
    }
    std::vector<at::Tensor> all;
    for (const TrainedTensor& tensor : process.run().tensors) {
      if (tensor.value.grad().defined()) all.push_back(tensor.value.grad().flatten());
    }
    return at::cat(all);
  };
  const at::Tensor whole = gradient(0);
  BOOST_TEST(most(whole) > 1e-3);
  for (const std::int64_t micro : {1, 4}) BOOST_TEST((most(gradient(micro) - whole) < 1e-5 * most(whole) + 1e-7));
}

BOOST_AUTO_TEST_CASE(ppo_raises_the_reward) {
  RolloutParams params = rollout();
  params.temperature = 1;
  Process process(params, Value::map({{"kl_coef", 0.0}}), 64);
  const test::Folder folder;
  RecordingContext context(folder.path());
  TrainingSettings s = settings(20);
  s.batch_size = 32;
  s.micro_batch_size = 0;
  s.learning_rate = 1e-2;
  s.lr_scheduler_type = "constant";
  const TrainingResult result = train(process.run(), s, context);
  // The share of even ids starts near one half.
  double first = 0, last = 0;
  for (const auto& [step, row] : context.rows) {
    if (step >= 1 && step <= 3 && row.contains("objective/scores")) first += row.at("objective/scores") / 3;
    if (step >= 18 && row.contains("objective/scores")) last += row.at("objective/scores") / 3;
  }
  BOOST_TEST_MESSAGE("mean reward " << first << " -> " << last);
  BOOST_TEST(first < 0.65);
  BOOST_TEST(last > first + 0.15);
  BOOST_TEST(result.eval.contains("eval_objective/scores"));
  BOOST_TEST(result.first_measured.contains("objective/scores"));
}

BOOST_AUTO_TEST_CASE(stopped_and_resumed_it_ends_with_the_same_bits) {
  const test::Folder whole_folder;
  RecordingContext whole(whole_folder.path());
  Process straight(rollout());
  const TrainingResult wanted = train(straight.run(), settings(3), whole);
  BOOST_TEST(wanted.updates == 12);
  BOOST_TEST(straight.ppo.call(&OnlineOptimizer::state).at("kl_coef") !=
             0.2);  // the controller's state must survive, too

  // After the first update, inside a batch of rollouts, behind its last mini-batch, and before the end.
  for (const std::size_t stop : {1U, 3U, 4U, 11U}) {
    BOOST_TEST_CONTEXT("stopped after update " << stop) {
      const test::Folder folder;
      RecordingContext context(folder.path());
      context.stop_after = stop;
      Process first(rollout());
      BOOST_CHECK_THROW(train(first.run(), settings(3), context), Cancelled);
      Process again(rollout());  // nothing but the folder remains
      RecordingContext resumed(folder.path());
      resumed.rows = context.rows;
      const TrainingResult result = train(again.run(), settings(3), resumed);
      const auto got = again.run().tensors, there = straight.run().tensors;
      for (std::size_t i = 0; i < got.size(); ++i) {
        BOOST_TEST_CONTEXT(got[i].name) {
          BOOST_TEST(at::equal(got[i].value, there[i].value));
        }
      }
      BOOST_TEST((again.ppo.call(&OnlineOptimizer::state) == straight.ppo.call(&OnlineOptimizer::state)));
      BOOST_TEST((result.eval == wanted.eval));
      BOOST_TEST((result.first_measured == wanted.first_measured));
      BOOST_TEST((resumed.rows == whole.rows));
    }
  }
}

BOOST_AUTO_TEST_CASE(an_answer_that_was_cut_pays_the_penalty) {
  RolloutParams params = rollout();
  params.missing_eos_penalty = 10;
  Process process(params);
  process.objective->starting(0);
  std::size_t row = 0, cut = 0;
  for (const SequenceGroup& group : process.objective->groups()) {
    for (const auto& answer : group.completions) {
      const bool finished = answer.back() == 2;
      cut += finished ? 0 : 1;
      BOOST_TEST((process.objective->rollouts().rewards[static_cast<std::int64_t>(row++)].item<double>() < -8) !=
                 finished);
    }
  }
  BOOST_TEST(cut > 0u);
}

BOOST_AUTO_TEST_SUITE_END()
