#include "framework/engine/training/online_objective.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "framework/engine/training/batching.h"
#include "framework/engine/training/numbers.h"
#include "plumb/tensor/upload.h"

namespace plumb {
namespace {

double mean_of(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double standard_error(const std::vector<float>& values) {
  const double mean = mean_of(values), n = static_cast<double>(values.size());
  double squares = 0;
  for (const float value : values) squares += (value - mean) * (value - mean);
  return n < 2 ? 0 : std::sqrt(squares / (n - 1) / n);
}

std::vector<SequenceGroup> sequences_of(const std::vector<ResponseGroup>& groups) {
  std::vector<SequenceGroup> out;
  for (const ResponseGroup& group : groups) {
    SequenceGroup& sequences = out.emplace_back(SequenceGroup{group.prompt_ids, {}});
    for (const Response& response : group.responses) sequences.completions.push_back(response.ids);
  }
  return out;
}

// What a batch has of each token, by its name in a checkpoint.
std::vector<std::pair<const char*, Ragged*>> of_tokens(RolloutBatch& batch) {
  return {{"logps", &batch.logps},
          {"reference_logps", &batch.reference_logps},
          {"values", &batch.values},
          {"advantages", &batch.advantages},
          {"returns", &batch.returns}};
}

}  // namespace

ValueHead::ValueHead(const LanguageModel& trunk) {
  const auto options = at::TensorOptions(at::kFloat).device(trunk.device());
  weight = at::zeros({1, trunk.shape().hidden}, options).set_requires_grad(true);
  bias = at::zeros({1}, options).set_requires_grad(true);
}

at::Tensor ValueHead::operator()(const at::Tensor& hidden) const {
  return at::linear(hidden.to(at::kFloat), weight, bias).squeeze(1);
}

std::vector<TrainedTensor> ValueHead::tensors() const {
  return {{"value_head.weight", weight, true}, {"value_head.bias", bias, false}};
}

OnlineObjective::OnlineObjective(const OnlinePlayers& players, std::vector<PromptRow> prompts,
                                 const RolloutParams& settings, std::int64_t batch_size, ScoreAnswers score, Host& host,
                                 Random random)
    : players_(players),
      prompts_(std::move(prompts)),
      settings_(settings),
      batch_size_(batch_size),
      prompts_per_step_(batch_size / settings.responses),
      score_(std::move(score)),
      host_(host),
      random_(random) {
  if (prompts_.empty()) throw Error(ErrorCode::data, "there is no prompt to learn from");
  if (prompts_per_step_ * settings.responses != batch_size) {
    throw Error(ErrorCode::recipe, "batch_size must be a multiple of rollout.responses");
  }
  if (players.values) value_head_.emplace(players.value_model != nullptr ? *players.value_model : players.policy);
  if (players.value_model != nullptr) set_adapter_dropout(*players_.value_model, false);
  set_adapter_dropout(players_.policy, false);  // as TRL: log-ratios would compare different networks
}

std::vector<TrainedTensor> OnlineObjective::value_tensors() const {
  if (!value_head_) return {};
  std::vector<TrainedTensor> tensors = value_head_->tensors();
  if (players_.value_model == nullptr) return tensors;
  for (const Parameter* parameter : players_.value_model->trainable()) {
    tensors.push_back({"value_model." + parameter->name, *parameter->tensor, parameter->decays});
  }
  return tensors;
}

std::string OnlineObjective::describe(std::size_t example) const {
  const auto [group, completion] = place_.at(example);
  return "rollout " + std::to_string(example) + " (prompt " + names_[group] + ", answer " + std::to_string(completion) +
         ")";
}

BatchTotals OnlineObjective::totals(std::span<const std::size_t> batch) const {
  BatchTotals totals{.examples = static_cast<std::int64_t>(batch.size())};
  for (const std::size_t row : batch) {
    totals.learnt_tokens += lengths_.at(row);
    totals.tokens += lengths_[row] + static_cast<std::int64_t>(groups_[place_[row].first].prompt.size());
  }
  return totals;
}

void OnlineObjective::arrange(std::vector<std::size_t>& batch) const {
  std::sort(batch.begin(), batch.end());  // answers of one prompt have neighbouring numbers
}

void OnlineObjective::starting(std::int64_t update) {
  const std::int64_t step = update / updates_per_step();
  if (step != step_) collect(step);
}

std::vector<std::size_t> OnlineObjective::prompts_of(std::int64_t step) const {
  std::vector<std::size_t> order, out;
  const auto count = static_cast<std::int64_t>(prompts_.size());
  std::int64_t epoch = -1;
  for (std::int64_t at = step * prompts_per_step_; at < (step + 1) * prompts_per_step_; ++at) {
    if (at / count != epoch) {
      epoch = at / count;
      order = shuffled(prompts_.size())(random_.derive("prompts").derive(static_cast<std::uint64_t>(epoch)));
    }
    out.push_back(order[static_cast<std::size_t>(at % count)]);
  }
  return out;
}

void OnlineObjective::collect(std::int64_t step) {
  std::vector<Prompt> prompts;
  for (const std::size_t row : prompts_of(step)) prompts.push_back(prompts_[row].prompt);
  const std::uint64_t seed = random_.derive("rollouts").derive(static_cast<std::uint64_t>(step)).key();
  const Answers answers = answer(std::move(prompts), settings_.responses, seed);

  std::vector<SequenceGroup> groups = sequences_of(answers.groups);
  const States states = states_of(groups);  // the last that a stop or another rank can end

  step_ = step;
  groups_ = std::move(groups);
  names_.clear();
  double finished = 0;
  for (const ResponseGroup& group : answers.groups) {
    names_.push_back(group.prompt.id);
    for (const Response& response : group.responses) finished += response.finish == FinishReason::stop ? 1 : 0;
  }
  batch_ = {};
  place_rollouts();
  batch_.logps = Ragged::of(states.logps, lengths_);
  if (states.reference_logps.defined()) batch_.reference_logps = batch_.logps.with(states.reference_logps);
  if (states.values.defined()) batch_.values = batch_.logps.with(states.values);
  batch_.rewards = upload(at::tensor(answers.rewards), players_.policy.device());
  {
    const at::NoGradGuard no_grad;
    metrics_ = players_.optimizer.call(&OnlineOptimizer::prepare, batch_);
  }
  for (const auto& [name, made] :
       {std::pair{"advantages", &batch_.advantages}, std::pair{"returns", &batch_.returns}}) {
    if (!made->defined() || made->offsets.equal(batch_.logps.offsets)) continue;
    throw Error(ErrorCode::plugin, players_.optimizer.name() + ": prepare wrote " + name +
                                       " whose rows are not as long as those of logps");
  }
  std::int64_t tokens = 0;
  for (const std::int64_t length : lengths_) tokens += length;
  metrics_.emplace("rollouts/length", static_cast<double>(tokens) / static_cast<double>(batch_size_));
  metrics_.emplace("val/num_eos_tokens", finished);
  metrics_.emplace("objective/scores", mean_of(answers.rewards));
  if (answers.cut > 0) {
    metrics_.emplace("rollouts/overlong", static_cast<double>(answers.cut) / static_cast<double>(batch_size_));
  }
}

// From groups_: where each rollout stands, lengths and prompt numbers.
void OnlineObjective::place_rollouts() {
  place_.clear();
  lengths_.clear();
  std::vector<std::int64_t> prompt;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    for (std::size_t c = 0; c < groups_[g].completions.size(); ++c) {
      place_.emplace_back(g, c);
      lengths_.push_back(static_cast<std::int64_t>(groups_[g].completions[c].size()));
      prompt.push_back(static_cast<std::int64_t>(g));
    }
  }
  batch_.prompt = upload(at::tensor(prompt, at::kLong), players_.policy.device());
}

MicroLoss OnlineObjective::micro_loss(std::span<const std::size_t> micro, const BatchTotals& totals) {
  std::vector<SequenceGroup> groups;
  std::vector<std::int64_t> rows;
  std::size_t last = groups_.size();
  for (const std::size_t row : micro) {
    const auto [group, completion] = place_.at(row);
    if (group != last) groups.push_back({groups_[group].prompt, {}});
    last = group;
    groups.back().completions.push_back(groups_[group].completions[completion]);
    rows.push_back(static_cast<std::int64_t>(row));
  }
  const at::Tensor index = upload(at::tensor(rows, at::kLong), batch_.prompt.device());
  RolloutBatch part = batch_;
  part.prompt = batch_.prompt.index_select(0, index);
  part.rewards = batch_.rewards.index_select(0, index);
  for (const auto& [name, ragged] : of_tokens(part)) {
    if (ragged->defined()) *ragged = ragged->select(rows);
  }
  const CompletionStates states = completion_states(players_.policy, groups, {.temperature = settings_.temperature});
  const Ragged logps = part.logps.with(states.logps.tokens);
  const Ragged values = value_head_ ? part.logps.with(values_of(groups, states.hidden)) : Ragged();
  Loss loss = players_.optimizer.call(&OnlineOptimizer::loss, part, logps, values, totals.learnt_tokens);
  return undivided(std::move(loss));
}

std::map<std::string, double> OnlineObjective::measure(std::span<const PromptRow> held_out) {
  std::vector<Prompt> prompts;
  for (const PromptRow& row : held_out) prompts.push_back(row.prompt);
  const Answers answers = answer(std::move(prompts), 1, random_.derive("held-out").key());
  const auto groups = sequences_of(answers.groups);
  const double count = static_cast<double>(groups.size());
  double tokens = 0;
  for (const SequenceGroup& group : groups) tokens += static_cast<double>(group.completions.front().size());
  std::map<std::string, double> out{{"objective/scores", mean_of(answers.rewards)},
                                    {"objective/scores_standard_error", standard_error(answers.rewards)},
                                    {"rollouts/length", tokens / count}};
  if (players_.reference == nullptr) return out;
  const States states = states_of(groups);
  out["objective/kl"] =
      (states.logps.to(at::kDouble) - states.reference_logps.to(at::kDouble)).sum().item<double>() / count;
  return out;
}

Value OnlineObjective::save(NamedTensors& tensors) const {
  Value state = Value::map({{"step", step_},
                            {"metrics", value_of(metrics_)},
                            {"optimizer", value_of(players_.optimizer.call(&OnlineOptimizer::state))}});
  if (step_ < 0) return state;
  std::vector<TokenId> ids;
  for (const auto& [group, completion] : place_) {
    const auto& answer = groups_[group].completions[completion];
    ids.insert(ids.end(), answer.begin(), answer.end());
  }
  tensors.emplace_back("ids", at::tensor(ids, at::kInt));
  tensors.emplace_back("lengths", at::tensor(lengths_, at::kLong));
  tensors.emplace_back("rewards", batch_.rewards);
  RolloutBatch batch = batch_;  // shares the tensors
  for (const auto& [name, ragged] : of_tokens(batch)) {
    if (ragged->defined()) tensors.emplace_back(name, ragged->values);
  }
  return state;
}

void OnlineObjective::restore(const Value& state, const std::map<std::string, at::Tensor>& tensors) {
  players_.optimizer.call(&OnlineOptimizer::restore, numbers_of(state.at("optimizer")));
  step_ = state.at("step").as_int();
  metrics_ = numbers_of(state.at("metrics"));
  if (step_ < 0) return;
  groups_.clear();
  names_.clear();
  const at::Tensor ids = tensors.at("ids"), lengths = tensors.at("lengths");
  const auto* id = ids.const_data_ptr<TokenId>();
  const auto* length = lengths.const_data_ptr<std::int64_t>();
  for (const std::size_t row : prompts_of(step_)) {
    SequenceGroup& group = groups_.emplace_back(SequenceGroup{prompts_[row].ids, {}});
    names_.push_back(prompts_[row].prompt.id);
    for (std::int64_t r = 0; r < settings_.responses; ++r, id += *length++) {
      group.completions.emplace_back(id, id + *length);
    }
  }
  batch_ = {};
  place_rollouts();
  const auto here = [&](const at::Tensor& saved) {
    return saved.to(batch_.prompt.device(), saved.scalar_type(), false, true);
  };
  batch_.rewards = here(tensors.at("rewards"));
  for (const auto& [name, ragged] : of_tokens(batch_)) {
    if (const auto found = tensors.find(name); found != tensors.end())
      *ragged = Ragged::of(here(found->second), lengths_);
  }
}

}  // namespace plumb
