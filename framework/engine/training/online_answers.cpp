// Answers and what is computed of them before they are learnt from, on one rank or on several.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>

#include <cstring>

#include "framework/cancelled.h"
#include "framework/engine/distributed/answers.h"
#include "framework/engine/distributed/collective.h"
#include "framework/engine/distributed/texts.h"
#include "framework/engine/rollout/rollout.h"
#include "framework/engine/training/online_objective.h"

namespace plumb {
namespace {

const std::string kStopped = "stopped";       // what a rank sends that is to stop
constexpr std::size_t kForwardTokens = 8192;  // of one pass without gradients

// Consecutive groups of at most kForwardTokens tokens, at least one each.
std::vector<std::span<const SequenceGroup>> passes(std::span<const SequenceGroup> groups) {
  const auto tokens_of = [](const SequenceGroup& group) {
    std::size_t tokens = group.prompt.size();
    for (const auto& completion : group.completions) tokens += completion.size();
    return tokens;
  };
  std::vector<std::span<const SequenceGroup>> out;
  for (std::size_t begin = 0, end = 0; begin < groups.size(); begin = end) {
    std::size_t tokens = 0;
    do {
      tokens += tokens_of(groups[end++]);
    } while (end < groups.size() && tokens + tokens_of(groups[end]) <= kForwardTokens);
    out.push_back(groups.subspan(begin, end - begin));
  }
  return out;
}

}  // namespace

std::vector<ResponseGroup> OnlineObjective::generate(const std::vector<Prompt>& prompts, const Sampling& sampling) {
  return answer_together(ranks(), prompts, host_, [&](std::span<const Prompt> mine) {
    std::vector<ResponseGroup> groups(mine.size());
    generate_responses(players_.policy, mine, sampling, {}, host_,
                       [&](std::size_t i, ResponseGroup&& group) { groups[i] = std::move(group); });
    return groups;
  });
}

// By rank 0, so that nobody else is asked twice; its bits, and its wish to stop, are those of all.
ScoredAnswers OnlineObjective::score(const std::vector<ResponseGroup>& groups) {
  Collective& group = ranks();
  ScoredAnswers scored({});
  bool stopped = false;
  try {
    if (group.leads()) scored = score_(groups);
  } catch (const Cancelled&) {
    stopped = true;
  }
  const std::string now = group.broadcast_text(stopped || host_.cancelled() ? kStopped : std::to_string(scored.cut));
  if (now == kStopped) throw Cancelled{};
  if (group.alone()) return scored;
  std::vector<double> all;
  for (const auto& rewards : scored.rewards) all.insert(all.end(), rewards.begin(), rewards.end());
  const std::string bytes =
      group.broadcast_text({reinterpret_cast<const char*>(all.data()), all.size() * sizeof(double)});
  all.resize(bytes.size() / sizeof(double));
  std::memcpy(all.data(), bytes.data(), bytes.size());
  scored = ScoredAnswers({}, std::stoll(now));
  auto next = all.begin();
  for (const ResponseGroup& answered : groups) {
    const auto end = next + static_cast<std::ptrdiff_t>(answered.responses.size());
    scored.rewards.emplace_back(next, end);
    next = end;
  }
  return scored;
}

OnlineObjective::Answers OnlineObjective::answer(std::vector<Prompt> prompts, std::int64_t responses,
                                                 std::uint64_t seed) {
  // A prompt's id keys its draws; one that comes twice in a batch must not be answered twice alike.
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    ids.push_back(prompts[i].id);
    prompts[i].id += "#" + std::to_string(i);
  }
  const Sampling sampling{.responses = responses,
                          .max_new_tokens = settings_.max_new_tokens,
                          .temperature = settings_.temperature,
                          .seed = seed};
  Answers out{.groups = generate(prompts, sampling)};
  for (std::size_t i = 0; i < ids.size(); ++i) out.groups[i].prompt.id = ids[i];
  const ScoredAnswers scored = score(out.groups);
  const auto& rewards = scored.rewards;
  out.cut = scored.cut;
  for (std::size_t i = 0; i < out.groups.size(); ++i) {
    for (std::size_t r = 0; r < out.groups[i].responses.size(); ++r) {
      const bool cut = out.groups[i].responses[r].finish != FinishReason::stop;
      const double penalty = cut ? settings_.missing_eos_penalty.value_or(0) : 0;
      out.rewards.push_back(static_cast<float>(rewards.at(i).at(r) - penalty));
    }
  }
  return out;
}

// [completion tokens], from the policy's hidden states unless the values have a model of their own.
at::Tensor OnlineObjective::values_of(std::span<const SequenceGroup> groups, const at::Tensor& policy_hidden) const {
  return (*value_head_)(players_.value_model == nullptr ? policy_hidden
                                                        : completion_hidden(*players_.value_model, groups, {}));
}

OnlineObjective::States OnlineObjective::states_of_pass(std::span<const SequenceGroup> pass) {
  const ForwardOptions options{.temperature = settings_.temperature};
  const CompletionStates policy = completion_states(players_.policy, pass, options);
  States states{.logps = policy.logps.tokens};
  if (value_head_) states.values = values_of(pass, policy.hidden);
  if (players_.reference == nullptr) return states;
  const AdaptersOff adapters_off;
  states.reference_logps = completion_logps(*players_.reference, pass, options).tokens;
  return states;
}

// Passes go round the ranks; each gets all that they give.
OnlineObjective::States OnlineObjective::states_of(std::span<const SequenceGroup> groups) {
  const at::NoGradGuard no_grad;
  Collective& group = ranks();
  const auto world = static_cast<std::size_t>(group.world());
  const auto all = passes(groups);
  std::vector<at::Tensor> logps, reference, values;
  const auto keep = [](std::vector<at::Tensor>& parts, const at::Tensor& part) {
    if (part.defined()) parts.push_back(part);
  };
  for (std::size_t round = 0; round < all.size(); round += world) {
    const std::size_t mine = round + static_cast<std::size_t>(group.rank());
    States here;
    if (mine < all.size()) here = states_of_pass(all[mine]);
    if (group.alone()) {
      keep(logps, here.logps);
      keep(reference, here.reference_logps);
      keep(values, here.values);
      continue;
    }
    for (const auto& [parts, part] : {std::pair{&logps, here.logps}, std::pair{&reference, here.reference_logps},
                                      std::pair{&values, here.values}}) {
      for (const std::string& text : group.gather_texts(part.defined() ? floats_as_text(part) : "")) {
        if (!text.empty()) parts->push_back(floats_of_text(text).to(players_.policy.device()));
      }
    }
  }
  const auto joined = [](const std::vector<at::Tensor>& parts) {
    return parts.empty() ? at::Tensor() : at::cat(parts);
  };
  return {joined(logps), joined(reference), joined(values)};
}

}  // namespace plumb
