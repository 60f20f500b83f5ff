#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>

#include <algorithm>

#include "framework/engine/certificate/checks.h"
#include "framework/engine/modeling/decoder.h"
#include "framework/engine/rollout/rollout.h"

namespace plumb {
namespace {

using Rows = std::vector<std::vector<TokenId>>;

std::int64_t length(const std::vector<TokenId>& ids) {
  return static_cast<std::int64_t>(ids.size());
}

at::Tensor alone(LanguageModel& model, const std::vector<TokenId>& row) {
  return full_logits(model, {&row, 1});
}

// Logits of each row among all others, in this order and the other way round, against the row by itself.
double batch_error(LanguageModel& model, Rows rows) {
  std::vector<at::Tensor> wanted;
  for (const auto& row : rows) wanted.push_back(alone(model, row));
  double worst = relative(full_logits(model, rows), at::cat(wanted));
  std::reverse(rows.begin(), rows.end());
  std::reverse(wanted.begin(), wanted.end());
  return std::max(worst, relative(full_logits(model, rows), at::cat(wanted)));
}

// A row, then the same row with filling behind it, and filling as its neighbour on either side.
double padding_error(LanguageModel& model, const Rows& rows) {
  constexpr std::size_t width = 7;
  const TokenId pad = model.tokenizer ? model.tokenizer->special().pad.value_or(0) : 0;
  const std::int64_t room = model.shape().context;
  double worst = 0;
  for (const auto& row : rows) {
    const at::Tensor wanted = alone(model, row);
    auto right = row;
    right.resize(std::min(row.size() + width, static_cast<std::size_t>(std::max(room, length(row)))), pad);
    worst = std::max(worst, relative(alone(model, right).narrow(0, 0, length(row)), wanted));
    const std::vector<TokenId> filling(width, pad);
    const Rows neighbours{filling, row, filling};
    worst = std::max(worst, relative(full_logits(model, neighbours).narrow(0, width, length(row)), wanted));
  }
  return worst;
}

std::vector<SequenceGroup> one_by_one(const std::vector<SequenceGroup>& groups) {
  std::vector<SequenceGroup> out;
  for (const SequenceGroup& group : groups) {
    for (const auto& completion : group.completions) out.push_back({group.prompt, {completion}});
  }
  return out;
}

// What training and scoring use of a response: its tokens' log-probabilities, or its reward.
at::Tensor outcome(LanguageModel& model, std::span<const SequenceGroup> groups, bool share) {
  const ForwardOptions options{.share_prompt = share};
  return model.score ? completion_rewards(model, groups, options) : completion_logps(model, groups, options).tokens;
}

double packing_error(LanguageModel& model, const std::vector<SequenceGroup>& groups) {
  std::vector<at::Tensor> wanted;
  for (const SequenceGroup& one : one_by_one(groups)) wanted.push_back(outcome(model, {&one, 1}, false));
  return relative(outcome(model, groups, true), at::cat(wanted));
}

double reward_order_error(LanguageModel& model, std::vector<SequenceGroup> groups) {
  std::vector<at::Tensor> wanted;
  std::reverse(groups.begin(), groups.end());
  for (const SequenceGroup& group : groups) wanted.push_back(outcome(model, {&group, 1}, true));
  return relative(outcome(model, groups, true), at::cat(wanted));
}

double decode_error(LanguageModel& model, const std::vector<SequenceGroup>& groups) {
  Decoder decoder(model);
  Rows prompts;
  for (const SequenceGroup& group : groups) prompts.push_back(group.prompt);
  const auto slots = decoder.add_prompts(prompts);
  const at::Tensor first = decoder.prompt_logits(slots);
  struct Row {
    std::size_t slot;
    const std::vector<TokenId>* completion;
    at::Tensor wanted;  // from the prompt's last position on
  };
  std::vector<Row> rows;
  double worst = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (const auto& completion : groups[g].completions) {
      auto whole = groups[g].prompt;
      whole.insert(whole.end(), completion.begin(), completion.end());
      const std::int64_t last = length(groups[g].prompt) - 1;
      const at::Tensor logits = alone(model, whole).narrow(0, last, length(completion) + 1);
      worst = std::max(worst, relative(first[static_cast<std::int64_t>(g)], logits[0]));
      rows.push_back({decoder.add_row(slots[g]), &completion, logits});
    }
  }
  for (std::size_t step = 0; !rows.empty(); ++step) {
    std::vector<std::size_t> active;
    std::vector<TokenId> tokens;
    std::vector<at::Tensor> wanted;
    for (const Row& row : rows) {
      if (step >= row.completion->size()) continue;
      active.push_back(row.slot);
      tokens.push_back((*row.completion)[step]);
      wanted.push_back(row.wanted[static_cast<std::int64_t>(step) + 1]);
    }
    if (active.empty()) break;
    worst = std::max(worst, relative(decoder.next(active, tokens), at::stack(wanted)));
  }
  return worst;
}

// How many tokens differ when every response of a prompt computes the prompt itself.
double draw_differences(LanguageModel& model, const std::vector<SequenceGroup>& groups, Host& host) {
  std::vector<TokenPrompt> prompts;
  for (const SequenceGroup& group : groups) prompts.push_back({std::to_string(prompts.size()), group.prompt});
  const std::int64_t room = std::max<std::int64_t>(1, std::min<std::int64_t>(24, model.shape().context / 4));
  const Sampling sampling{
      .responses = 3, .max_new_tokens = room, .temperature = 1, .top_k = 50, .top_p = 0.98, .seed = 5};
  const auto draw = [&](bool share) {
    std::vector<std::vector<TokenId>> out(prompts.size() * 3);
    sample_tokens(model, prompts, sampling, token_limits(model), {.rows = share ? 128 : 2, .share_prompt = share}, host,
                  [&](std::size_t i, std::vector<SampledTokens>&& answers) {
                    for (std::size_t a = 0; a < answers.size(); ++a) out[3 * i + a] = std::move(answers[a].ids);
                  });
    return out;
  };
  const auto shared = draw(true), separate = draw(false);
  std::size_t different = 0;
  for (std::size_t i = 0; i < shared.size(); ++i) {
    for (std::size_t t = 0; t < std::max(shared[i].size(), separate[i].size()); ++t) {
      different += t >= shared[i].size() || t >= separate[i].size() || shared[i][t] != separate[i][t] ? 1 : 0;
    }
  }
  return static_cast<double>(different);
}

double bfloat16_error(const Measuring& with, LanguageModel& model) {
  LanguageModel half =
      open_subject(with.subject, with.registry, with.host, {.placement = {.dtype = "bfloat16"}, .tokenizer = false});
  const auto& groups = with.material.groups;
  return (outcome(half, groups, true) - outcome(model, groups, true)).abs().mean().item<double>();
}

}  // namespace

double relative(const at::Tensor& mine, const at::Tensor& wanted) {
  const double largest = wanted.abs().max().item<double>(), difference = (mine - wanted).abs().max().item<double>();
  return largest == 0 ? difference : difference / largest;
}

Check measured(std::string name, std::string what, double bound, const std::function<double()>& measure) {
  Check check{std::move(name), std::move(what), bound, 0, {}};
  try {
    check.measured = measure();
  } catch (const std::exception& error) {
    check.problem = error.what();
  }
  return check;
}

std::vector<Check> model_checks(const Measuring& with, LanguageModel& model) {
  const at::NoGradGuard no_gradients;
  const auto& groups = with.material.groups;
  if (model.score) {
    return {measured("batch", "rewards among others in reverse order, and prompt by prompt", kRoundingBound,
                     [&] { return reward_order_error(model, groups); }),
            measured("packing", "rewards with shared prompts, and of one sequence at a time", kRoundingBound,
                     [&] { return packing_error(model, groups); }),
            measured("bfloat16", "rewards in bfloat16 and in float32, mean difference", 0.1,
                     [&] { return bfloat16_error(with, model); })};
  }
  const Rows rows = with.material.sequences();
  return {measured("batch", "logits of a row among others, in either order, and alone", kRoundingBound,
                   [&] { return batch_error(model, rows); }),
          measured("padding", "logits of a row with filling after it and around it, and alone", kRoundingBound,
                   [&] { return padding_error(model, rows); }),
          measured("packing", "log-probabilities with shared prompts, and of one sequence at a time", kRoundingBound,
                   [&] { return packing_error(model, groups); }),
          measured("cached_decode", "logits token by token from the cache, and of one forward pass", kRoundingBound,
                   [&] { return decode_error(model, groups); }),
          measured("shared_prompt", "tokens drawn with a shared prompt that separate prompts draw differently", 0,
                   [&] { return draw_differences(model, groups, with.host); }),
          measured("bfloat16", "log-probabilities in bfloat16 and in float32, mean difference in nats a token", 0.1,
                   [&] { return bfloat16_error(with, model); })};
}

}  // namespace plumb
