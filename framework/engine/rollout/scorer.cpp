#include "framework/engine/rollout/scorer.h"

#include <ATen/core/Tensor.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "framework/engine/modeling/grouped_forward.h"
#include "plumb/error.h"
#include "plumb/utf8.h"

namespace plumb {
namespace {

// A prompt with its different answers, those that had to be cut each by itself behind what is left of the prompt;
// place[i] is where response i's answer stands among all completions, in their order.
struct Rendered {
  std::vector<SequenceGroup> sequences;
  std::vector<std::size_t> place;
  std::int64_t tokens = 0;
};

std::vector<TokenId> render_answer(const LanguageModel& model, const Response& response) {
  const auto eos = model.tokenizer->special().eos;
  if (strip(response.text).empty() && eos) return {*eos};  // no chat format writes an empty answer
  return model.chat_format->render_completion(*model.tokenizer, response.text).value();
}

std::vector<TokenId> render_prompt(const LanguageModel& model, const Prompt& prompt) {
  auto ids = model.chat_format->render_prompt(*model.tokenizer, prompt.messages);
  if (!ids) throw Error(ids.error().code(), fmt::format("prompt {}: {}", prompt.id, ids.error().what()));
  return std::move(*ids);
}

std::int64_t excess_of(const LanguageModel& model, std::size_t prompt, std::size_t answer) {
  const std::int64_t context = model.shape().context;
  return context > 0 ? std::max<std::int64_t>(0, static_cast<std::int64_t>(prompt + answer) - context) : 0;
}

// Without `excess` tokens from the left, BOS left standing. At least one token stands before the answer's rest.
SequenceGroup cut_left(const LanguageModel& model, std::vector<TokenId> prompt, const std::vector<TokenId>& answer,
                       std::int64_t excess) {
  const std::size_t kept = written_bos(*model.tokenizer) == prompt.front() ? 1 : 0;
  const std::size_t before =
      std::max<std::size_t>(1, prompt.size() - std::min(prompt.size(), static_cast<std::size_t>(excess)));
  prompt.insert(prompt.end(), answer.begin(), answer.end());
  const auto from = prompt.begin() + static_cast<std::ptrdiff_t>(kept);
  prompt.erase(from, from + excess);
  const auto middle = prompt.begin() + static_cast<std::ptrdiff_t>(before);
  return {{prompt.begin(), middle}, {{middle, prompt.end()}}};
}

Error too_long(const LanguageModel& model, const ResponseGroup& group, std::int64_t excess) {
  const std::int64_t context = model.shape().context;
  return {ErrorCode::data,
          fmt::format("prompt {}: with a response it has {} tokens, which passes the reward model's context of {}; "
                      "shorten the prompt, sample shorter responses, or let `overlong` leave out or cut what is longer",
                      group.prompt.id, context + excess, context)};
}

Rendered render(const LanguageModel& model, const ResponseGroup& group, bool truncate_left) {
  const std::vector<TokenId> prompt = render_prompt(model, group.prompt);
  SequenceGroup whole{prompt, {}};
  std::vector<SequenceGroup> cut;
  std::map<std::string_view, std::size_t> seen;      // text -> number of the answer
  std::vector<std::pair<bool, std::size_t>> stands;  // of each different answer: cut, where
  std::vector<std::size_t> number;                   // of each response's answer
  for (const Response& response : group.responses) {
    const auto [known, fresh] = seen.try_emplace(response.text, stands.size());
    number.push_back(known->second);
    if (!fresh) continue;
    std::vector<TokenId> ids = render_answer(model, response);
    const std::int64_t excess = excess_of(model, prompt.size(), ids.size());
    if (excess > 0 && !truncate_left) throw too_long(model, group, excess);
    stands.emplace_back(excess > 0, excess > 0 ? cut.size() : whole.completions.size());
    if (excess > 0) {
      cut.push_back(cut_left(model, prompt, ids, excess));
    } else {
      whole.completions.push_back(std::move(ids));
    }
  }
  Rendered out;
  for (const std::size_t answer : number) {
    const auto& [is_cut, where] = stands[answer];
    out.place.push_back(is_cut ? whole.completions.size() + where : where);
  }
  if (!whole.completions.empty()) out.sequences.push_back(std::move(whole));
  out.sequences.insert(out.sequences.end(), cut.begin(), cut.end());
  for (const SequenceGroup& one : out.sequences) {
    out.tokens += static_cast<std::int64_t>(one.prompt.size());
    for (const auto& completion : one.completions) out.tokens += static_cast<std::int64_t>(completion.size());
  }
  return out;
}

void check(const LanguageModel& model) {
  const char* missing = model.score == nullptr         ? "reward head"
                        : model.tokenizer == nullptr   ? "tokenizer"
                        : model.chat_format == nullptr ? "chat format"
                                                       : nullptr;
  if (missing == nullptr) return;
  const char* cure = model.chat_format == nullptr && model.tokenizer != nullptr && model.score != nullptr
                         ? "; give the reward `chat_format` in the recipe"
                         : "";
  throw Error(ErrorCode::data,
              fmt::format("{} has no {}; a reward model needs one{}", model.folder.string(), missing, cure));
}

}  // namespace

std::vector<std::vector<std::int64_t>> score_excess(const LanguageModel& reward_model,
                                                    std::span<const ResponseGroup> groups, Host& host) {
  check(reward_model);
  std::vector<std::vector<std::int64_t>> out(groups.size());
  host.parallel_for(groups.size(), [&](std::size_t i) {
    const std::size_t prompt = render_prompt(reward_model, groups[i].prompt).size();
    for (const Response& response : groups[i].responses) {
      out[i].push_back(excess_of(reward_model, prompt, render_answer(reward_model, response).size()));
    }
  });
  return out;
}

std::vector<std::vector<double>> score_groups(LanguageModel& reward_model, std::span<const ResponseGroup> groups,
                                              const ScoringOptions& options, Host& host) {
  const c10::InferenceMode no_gradients;
  check(reward_model);
  std::vector<std::vector<double>> rewards(groups.size());
  std::vector<Rendered> rendered;
  for (const ResponseGroup& group : groups) {
    rendered.push_back(render(reward_model, group, options.truncate_left));
  }

  for (std::size_t begin = 0, end = 0; begin < groups.size() && !host.cancelled(); begin = end) {
    std::vector<SequenceGroup> batch;
    for (std::int64_t tokens = 0; end < groups.size(); ++end) {
      tokens += rendered[end].tokens;
      if (end > begin && tokens > options.batch_tokens) break;
      for (SequenceGroup& sequences : rendered[end].sequences) batch.push_back(std::move(sequences));
    }
    if (batch.empty()) continue;
    const at::Tensor values =
        completion_rewards(reward_model, batch, {.share_prompt = options.share_prompt}).cpu().contiguous();
    const auto* value = values.const_data_ptr<float>();
    for (std::size_t i = begin; i < end; ++i) {
      std::size_t different = 0;
      for (std::size_t place : rendered[i].place) {
        rewards[i].push_back(value[place]);
        different = std::max(different, place + 1);
      }
      value += different;
    }
  }
  return rewards;
}

}  // namespace plumb
