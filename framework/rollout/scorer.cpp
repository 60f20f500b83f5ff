#include "framework/rollout/scorer.h"

#include <ATen/core/Tensor.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "framework/modeling/grouped_forward.h"
#include "plumb/error.h"
#include "plumb/utf8.h"

namespace plumb {
namespace {

// A prompt with its different answers; place[i] is where response i's answer stands among them.
struct Rendered {
  SequenceGroup sequences;
  std::vector<std::size_t> place;
  std::int64_t tokens = 0;
};

std::vector<TokenId> render_answer(const LanguageModel& model, const Response& response) {
  const auto eos = model.tokenizer->special().eos;
  if (strip(response.text).empty() && eos) return {*eos};  // no chat format writes an empty answer
  return model.chat_format->render_completion(*model.tokenizer, response.text).value();
}

Rendered render(const LanguageModel& model, const ResponseGroup& group) {
  Rendered out;
  auto prompt = model.chat_format->render_prompt(*model.tokenizer, group.prompt.messages);
  if (!prompt) throw Error(prompt.error().code(), fmt::format("prompt {}: {}", group.prompt.id, prompt.error().what()));
  out.sequences.prompt = std::move(*prompt);
  out.tokens = static_cast<std::int64_t>(out.sequences.prompt.size());
  const std::int64_t context = model.model->shape().context;
  std::map<std::string_view, std::size_t> seen;
  for (const Response& response : group.responses) {
    const auto [known, fresh] = seen.try_emplace(response.text, out.sequences.completions.size());
    out.place.push_back(known->second);
    if (!fresh) continue;
    std::vector<TokenId> ids = render_answer(model, response);
    const auto length = static_cast<std::int64_t>(out.sequences.prompt.size() + ids.size());
    if (length > context) {
      throw Error(ErrorCode::data,
                  fmt::format("prompt {}: with a response it has {} tokens, which passes the reward model's context of "
                              "{}; leave out or shorten the prompt, or sample shorter responses",
                              group.prompt.id, length, context));
    }
    out.tokens += static_cast<std::int64_t>(ids.size());
    out.sequences.completions.push_back(std::move(ids));
  }
  return out;
}

void check(const LanguageModel& model) {
  const char* missing = model.score == nullptr         ? "reward head (score.weight)"
                        : model.tokenizer == nullptr   ? "tokenizer"
                        : model.chat_format == nullptr ? "chat format"
                                                       : nullptr;
  if (missing == nullptr) return;
  throw Error(ErrorCode::data, fmt::format("{} has no {}; a reward model needs one", model.folder.string(), missing));
}

}  // namespace

std::vector<std::vector<double>> score_groups(LanguageModel& reward_model, std::span<const ResponseGroup> groups,
                                              const ScoringOptions& options, Host& host) {
  const c10::InferenceMode no_gradients;
  check(reward_model);
  std::vector<std::vector<double>> rewards(groups.size());
  std::vector<Rendered> rendered;
  for (const ResponseGroup& group : groups) rendered.push_back(render(reward_model, group));

  for (std::size_t begin = 0, end = 0; begin < groups.size() && !host.cancelled(); begin = end) {
    std::vector<SequenceGroup> batch;
    for (std::int64_t tokens = 0; end < groups.size(); ++end) {
      tokens += rendered[end].tokens;
      if (end > begin && tokens > options.batch_tokens) break;
      if (!rendered[end].place.empty()) batch.push_back(std::move(rendered[end].sequences));
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
