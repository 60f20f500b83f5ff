#include "framework/engine/rollout/rollout.h"

#include <ATen/core/Tensor.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <utility>

#include "framework/engine/modeling/cores.h"
#include "framework/engine/modeling/decoder.h"
#include "framework/engine/modeling/end_tokens.h"
#include "framework/engine/modeling/index_upload.h"
#include "framework/engine/modeling/kv_cache.h"
#include "framework/engine/rollout/device_sampler.h"
#include "framework/engine/rollout/sampler.h"
#include "plumb/error.h"

namespace plumb {
namespace {

constexpr std::size_t kPrefillTokens = 4096;  // of several prompts in one pass
constexpr std::uint64_t kDrawing = 48;        // bytes a logit while tokens are drawn on a device: sorted, with places
constexpr double kOfFree = 0.9;               // of a device's free memory

// Nothing where the device cannot tell.
std::optional<std::size_t> free_memory(const at::Device& device) {
  auto* allocator = dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(device.type()));
  if (allocator == nullptr) return std::nullopt;
  return allocator->getMemoryInfo(device.index()).first;
}

// One call of sample_tokens. Prompts are prefilled some at a time, ahead of need; each of their responses draws its
// first token from the prompt's logits and waits for a free row; a finished row is given to the next one at once.
class Rollout {
 public:
  Rollout(LanguageModel& policy, std::span<const TokenPrompt> prompts, const Sampling& sampling,
          const TokenLimits& limits, const RolloutOptions& options,
          const std::function<void(std::size_t, std::vector<SampledTokens>&&)>& done)
      : decoder_(policy),
        device_(policy.device()),
        prompts_(prompts),
        sampling_(sampling),
        limits_(limits),
        rows_(static_cast<std::size_t>(std::max<std::int64_t>(1, options.rows))),
        share_(options.share_prompt),
        draws_(static_cast<std::size_t>(sampling.temperature == 0 ? 1 : sampling.responses)),
        done_(done),
        groups_(prompts.size()) {
    vocabulary_ = static_cast<std::size_t>(limits.drawn(policy.shape().vocabulary));
    if (!device_.is_cpu() && !prompts.empty()) take_room(policy);
  }

  void run(Host& host) {
    if (rows_ < rows_wanted_) {
      host.log(LogLevel::info, fmt::format("{} answers are sampled at once, not {}: what {} has free holds no more",
                                           rows_, rows_wanted_, device_.str()));
    }
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

  // The keys and values of everything that can be in flight, once. Rows are fewer than wanted where the device's free
  // memory holds fewer.
  void take_room(const LanguageModel& policy) {
    std::size_t longest = 0;
    for (const TokenPrompt& prompt : prompts_) longest = std::max(longest, prompt.ids.size());
    rows_wanted_ = rows_ = std::min(rows_, prompts_.size() * draws_);
    const ModelShape shape = policy.shape();
    const std::uint64_t number = policy.dtype() == at::kBFloat16 ? 2 : 4;
    const std::uint64_t token = 2 * number * static_cast<std::uint64_t>(shape.layers * shape.kv_heads * shape.head_dim);
    const std::uint64_t row = (longest + static_cast<std::uint64_t>(sampling_.max_new_tokens)) * token +
                              kDrawing * static_cast<std::uint64_t>(shape.vocabulary);
    if (const auto free = free_memory(device_)) {
      rows_ = std::clamp<std::size_t>(static_cast<std::size_t>(kOfFree * static_cast<double>(*free)) / row, 1, rows_);
    }
    // Rows that are left of many prompts hold a prompt each.
    prompt_slots_ = std::min(rows_, prompts_.size()) + (share_ ? 0 : draws_);
    decoder_.reserve({.prompts = static_cast<std::int64_t>(prompt_slots_),
                      .prompt_tokens = static_cast<std::int64_t>(longest),
                      .rows = static_cast<std::int64_t>(rows_),
                      .row_tokens = sampling_.max_new_tokens});
  }

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
    const auto held = static_cast<std::size_t>(
        std::count_if(users_.begin(), users_.end(), [](std::size_t users) { return users > 0; }));
    std::vector<std::vector<TokenId>> ids;
    std::vector<Response> first;
    for (std::size_t tokens = 0; next_prompt_ < prompts_.size(); ++next_prompt_) {
      const TokenPrompt& prompt = prompts_[next_prompt_];
      tokens += prompt.ids.size() * (share_ ? 1 : draws_);
      if (!ids.empty() && (first.size() >= wanted || tokens > kPrefillTokens)) break;
      if (!ids.empty() && held + ids.size() + (share_ ? 1 : draws_) > prompt_slots_) break;
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
    const at::Tensor logits = decoder_.prompt_logits(slots);
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
    const at::Tensor logits = decoder_.next(rows, tokens);
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
    if (!logits.is_cpu()) {
      draw_there(logits, responses, lines);
      return;
    }
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

  // The same where the logits are; the ids alone come to the host.
  void draw_there(const at::Tensor& logits, std::vector<Response>& responses,
                  const std::vector<std::size_t>& lines) const {
    std::vector<double> u;
    for (const Response& response : responses) u.push_back(response.random.uniform_at(response.tokens.ids.size()));
    IndexUpload lists;
    const std::size_t u_at = lists.add_reals(u),
                      lines_at = lists.add(std::vector<std::int64_t>(lines.begin(), lines.end()));
    lists.send(logits.device());
    const at::Tensor known = logits.narrow(1, 0, static_cast<std::int64_t>(vocabulary_));
    const bool each = static_cast<std::size_t>(logits.size(0)) == lines.size();  // then lines count from 0
    const at::Tensor rows = each ? known : known.index_select(0, lists[lines_at]);
    const std::vector<std::int64_t> ids = fetch_ids(draw_tokens(rows, sampling_, lists.reals(u_at)));
    for (std::size_t i = 0; i < responses.size(); ++i) {
      if (ids[i] < 0) {
        const at::Tensor line = rows.select(0, static_cast<std::int64_t>(i)).cpu().contiguous();
        draw_token({line.const_data_ptr<float>(), vocabulary_}, sampling_, u[i]);  // says what is wrong
      }
      responses[i].tokens.ids.push_back(static_cast<TokenId>(ids[i]));
    }
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
  at::Device device_;
  std::span<const TokenPrompt> prompts_;
  const Sampling& sampling_;
  TokenLimits limits_;
  std::size_t rows_, rows_wanted_ = 0;
  std::size_t prompt_slots_ =
      std::numeric_limits<std::size_t>::max();  // prompts whose keys and values there is room for
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
