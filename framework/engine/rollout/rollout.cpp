#include "framework/engine/rollout/rollout.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "framework/engine/modeling/cores.h"
#include "framework/engine/modeling/decoder.h"
#include "framework/engine/modeling/end_tokens.h"
#include "framework/engine/rollout/sampler.h"
#include "plumb/error.h"

namespace plumb {
namespace {

constexpr std::size_t kPrefillTokens = 4096;  // of several prompts in one pass

// One call of sample_tokens. Prompts are prefilled some at a time, ahead of need; each of their responses draws its
// first token from the prompt's logits and waits for a free row; a finished row is given to the next one at once.
class Rollout {
 public:
  Rollout(LanguageModel& policy, std::span<const TokenPrompt> prompts, const Sampling& sampling,
          const TokenLimits& limits, const RolloutOptions& options,
          const std::function<void(std::size_t, std::vector<SampledTokens>&&)>& done)
      : decoder_(policy),
        prompts_(prompts),
        sampling_(sampling),
        limits_(limits),
        rows_(static_cast<std::size_t>(std::max<std::int64_t>(1, options.rows))),
        share_(options.share_prompt),
        draws_(static_cast<std::size_t>(sampling.temperature == 0 ? 1 : sampling.responses)),
        done_(done),
        groups_(prompts.size()) {
    const std::int64_t known = policy.shape().vocabulary;
    vocabulary_ = static_cast<std::size_t>(limits.vocabulary > 0 ? std::min(limits.vocabulary, known) : known);
  }

  void run(Host& host) {
    while (!host.cancelled()) {
      refill();
      if (active_.empty()) return;
      step();
    }
  }

 private:
  struct Response {
    std::size_t prompt = 0, number = 0;
    std::size_t slot = 0, row = 0;  // of the decoder
    Random random{0};
    SampledTokens tokens;
  };
  struct Group {
    std::vector<SampledTokens> responses;
    std::size_t left = 0;  // responses not finished
  };

  void refill() {
    while (active_.size() < rows_) {
      if (waiting_.empty()) {
        if (next_prompt_ == prompts_.size()) return;
        prefill();
        continue;
      }
      active_.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
      active_.back().row = decoder_.add_row(active_.back().slot);
    }
  }

  // As many prompts as fill the free rows, or half of all rows so that passes are not too small.
  void prefill() {
    const std::size_t wanted = std::max(rows_ - active_.size(), rows_ / 2);
    std::vector<std::vector<TokenId>> ids;
    std::vector<Response> first;
    for (std::size_t tokens = 0; next_prompt_ < prompts_.size(); ++next_prompt_) {
      const TokenPrompt& prompt = prompts_[next_prompt_];
      tokens += prompt.ids.size() * (share_ ? 1 : draws_);
      if (!ids.empty() && (first.size() >= wanted || tokens > kPrefillTokens)) break;
      groups_[next_prompt_] = {std::vector<SampledTokens>(draws_), draws_};
      for (std::size_t r = 0; r < draws_; ++r) {
        if (r == 0 || !share_) ids.push_back(prompt.ids);
        Response response{.prompt = next_prompt_, .number = r, .slot = ids.size() - 1, .tokens = {}};
        response.random = response_random(sampling_.seed, prompt.id, static_cast<std::int64_t>(r));
        first.push_back(std::move(response));
      }
    }
    const std::vector<std::size_t> slots = decoder_.add_prompts(ids);
    if (users_.size() <= *std::max_element(slots.begin(), slots.end())) {
      users_.resize(*std::max_element(slots.begin(), slots.end()) + 1);
    }
    const at::Tensor logits = decoder_.prompt_logits(slots).cpu();
    std::vector<std::size_t> lines;
    for (Response& response : first) {
      lines.push_back(response.slot);
      response.slot = slots[response.slot];
      ++users_[response.slot];
    }
    draw(logits, first, lines);
    for (Response& response : first) {
      if (!finished(response)) {
        waiting_.push_back(std::move(response));
      } else {
        finish(response);
      }
    }
  }

  // One token of every row.
  void step() {
    std::vector<std::size_t> rows, lines;
    std::vector<TokenId> tokens;
    for (std::size_t i = 0; i < active_.size(); ++i) {
      rows.push_back(active_[i].row);
      tokens.push_back(active_[i].tokens.ids.back());
      lines.push_back(i);
    }
    const at::Tensor logits = decoder_.next(rows, tokens).cpu();
    draw(logits, active_, lines);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < active_.size(); ++i) {
      if (finished(active_[i])) {
        decoder_.drop_row(active_[i].row);
        finish(active_[i]);
      } else {
        if (kept != i) active_[kept] = std::move(active_[i]);
        ++kept;
      }
    }
    active_.resize(kept);
  }

  // Appends one token to each response, drawn from its line of logits [lines, vocabulary].
  void draw(const at::Tensor& logits, std::vector<Response>& responses, const std::vector<std::size_t>& lines) const {
    const auto* data = logits.const_data_ptr<float>();
    const auto width = static_cast<std::size_t>(logits.size(1));
    over_cores(static_cast<std::int64_t>(responses.size()), 8, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
        std::vector<TokenId>& ids = responses[i].tokens.ids;
        const double u = responses[i].random.uniform_at(ids.size());
        ids.push_back(draw_token({data + lines[i] * width, vocabulary_}, sampling_, u));
      }
    });
  }

  [[nodiscard]] bool finished(Response& response) const {
    if (std::find(limits_.ends.begin(), limits_.ends.end(), response.tokens.ids.back()) != limits_.ends.end()) {
      response.tokens.finish = FinishReason::stop;
      return true;
    }
    response.tokens.finish = FinishReason::length;
    return static_cast<std::int64_t>(response.tokens.ids.size()) >= sampling_.max_new_tokens;
  }

  void finish(Response& response) {
    if (--users_[response.slot] == 0) decoder_.drop_prompt(response.slot);
    Group& group = groups_[response.prompt];
    group.responses[response.number] = std::move(response.tokens);
    if (--group.left > 0) return;
    // Greedy responses are all the same: one was decoded.
    group.responses.resize(static_cast<std::size_t>(sampling_.responses), group.responses.front());
    done_(response.prompt, std::move(group.responses));
    group.responses = {};
  }

  Decoder decoder_;
  std::span<const TokenPrompt> prompts_;
  const Sampling& sampling_;
  TokenLimits limits_;
  std::size_t rows_;
  bool share_;
  std::size_t draws_;  // responses decoded per prompt
  std::size_t vocabulary_ = 0;
  const std::function<void(std::size_t, std::vector<SampledTokens>&&)>& done_;
  std::vector<Group> groups_;
  std::vector<std::size_t> users_;  // unfinished responses by prompt slot
  std::size_t next_prompt_ = 0;
  std::deque<Response> waiting_;  // prefilled, first token drawn, without a row
  std::vector<Response> active_;
};

void check(const Sampling& sampling) {
  const char* wrong = nullptr;
  if (sampling.responses < 1) wrong = "responses must be at least 1";
  if (sampling.max_new_tokens < 1) wrong = "max_new_tokens must be at least 1";
  if (!(sampling.temperature >= 0)) wrong = "temperature must be 0 (greedy) or more";
  if (sampling.top_k < 0) wrong = "top_k must be 0 (off) or more";
  if (!(sampling.top_p > 0 && sampling.top_p <= 1)) wrong = "top_p must be above 0 and at most 1";
  if (wrong != nullptr) throw Error(ErrorCode::recipe, fmt::format("sampling: {}", wrong));
}

void check_room(const TokenPrompt& prompt, const Sampling& sampling, std::int64_t context) {
  const auto length = static_cast<std::int64_t>(prompt.ids.size());
  if (length == 0) throw Error(ErrorCode::data, fmt::format("prompt {} has no tokens", prompt.id));
  if (length + sampling.max_new_tokens <= context) return;
  throw Error(
      ErrorCode::data,
      fmt::format("prompt {} has {} tokens; with max_new_tokens {} that passes the model's context of {}: lower "
                  "max_new_tokens, or leave out or shorten the prompt",
                  prompt.id, length, sampling.max_new_tokens, context));
}

}  // namespace

TokenLimits token_limits(const LanguageModel& model) {
  const bool known = model.tokenizer != nullptr;
  return {end_tokens(model), known ? static_cast<std::int64_t>(model.tokenizer->vocabulary_size()) : 0};
}

void sample_tokens(LanguageModel& policy, std::span<const TokenPrompt> prompts, const Sampling& sampling,
                   const TokenLimits& limits, const RolloutOptions& options, Host& host,
                   const std::function<void(std::size_t, std::vector<SampledTokens>&&)>& done) {
  check(sampling);
  for (const TokenPrompt& prompt : prompts) check_room(prompt, sampling, policy.shape().context);
  Rollout(policy, prompts, sampling, limits, options, done).run(host);
}

void require_texts(const LanguageModel& policy) {
  if (policy.tokenizer != nullptr && policy.chat_format != nullptr) return;
  throw Error(ErrorCode::data,
              fmt::format("{} has no {}; a policy needs one to answer prompts (chat_format: in the recipe, or "
                          "plumb.json in the folder)",
                          policy.folder.string(), policy.tokenizer == nullptr ? "tokenizer" : "chat format"));
}

std::vector<TokenId> render_prompt(const ChatFormat& format, const Tokenizer& tokenizer, const Prompt& prompt) {
  auto ids = format.render_prompt(tokenizer, prompt.messages);
  if (!ids) throw Error(ids.error().code(), fmt::format("prompt {}: {}", prompt.id, ids.error().what()));
  return std::move(*ids);
}

void generate_responses(LanguageModel& policy, std::span<const Prompt> prompts, const Sampling& sampling,
                        const RolloutOptions& options, Host& host,
                        const std::function<void(std::size_t, ResponseGroup&&)>& done) {
  require_texts(policy);
  std::vector<TokenPrompt> rendered;
  rendered.reserve(prompts.size());
  for (const Prompt& prompt : prompts) {
    rendered.push_back({prompt.id, render_prompt(*policy.chat_format, *policy.tokenizer, prompt)});
  }
  sample_tokens(policy, rendered, sampling, token_limits(policy), options, host,
                [&](std::size_t i, std::vector<SampledTokens>&& sampled) {
                  ResponseGroup group{prompts[i], rendered[i].ids, {}, std::nullopt};
                  for (SampledTokens& tokens : sampled) {
                    std::string text = policy.chat_format->parse_completion(*policy.tokenizer, tokens.ids);
                    group.responses.push_back({std::move(text), std::move(tokens.ids), tokens.finish, std::nullopt});
                  }
                  done(i, std::move(group));
                });
}

}  // namespace plumb
