#include "framework/engine/modeling/decoder.h"

#include <ATen/ops/cat.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <utility>

#include "framework/engine/modeling/attention.h"
#include "framework/engine/modeling/index_upload.h"
#include "framework/engine/modeling/kv_cache.h"
#include "plumb/error.h"

namespace plumb {
namespace {

// Attention within whole prompts laid end to end; their keys and values go to the cache on the way.
class Prefill final : public Attention {
 public:
  Prefill(KvCache& cache, std::vector<std::size_t> slots, std::vector<std::int64_t> lengths)
      : cache_(cache),
        slots_(std::move(slots)),
        lengths_(std::move(lengths)),
        within_(SequenceAttention::causal(lengths_)) {}

  at::Tensor attend(std::int64_t layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    const AttentionOptions& options) override {
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      cache_.store_prompt(slots_[i], layer, k.narrow(0, begin, lengths_[i]), v.narrow(0, begin, lengths_[i]));
      begin += lengths_[i];
    }
    return within_.attend(layer, q, k, v, options);
  }

  [[nodiscard]] SequenceAttention& within() { return within_; }

 private:
  KvCache& cache_;
  std::vector<std::size_t> slots_;
  std::vector<std::int64_t> lengths_;
  SequenceAttention within_;
};

}  // namespace

struct Decoder::State {
  explicit State(LanguageModel& language_model) : model(language_model.model), shape(language_model.shape()) {
    device = language_model.device();
    cache = make_kv_cache(shape, language_model.dtype() == at::kBFloat16 ? at::kBFloat16 : at::kFloat, device);
  }

  void check(TokenId id) const {
    if (id >= 0 && id < shape.vocabulary) return;
    throw Error(ErrorCode::data,
                fmt::format("token id {} is outside the model's vocabulary of {}: the tokenizer is not this model's",
                            id, shape.vocabulary));
  }

  const Made<Model>& model;
  ModelShape shape;
  at::Device device{at::kCPU};
  std::unique_ptr<KvCache> cache;
  std::vector<at::Tensor> last_hidden;  // [1, hidden] of each prompt's last token, by slot
};

Decoder::Decoder(LanguageModel& model) : state_(std::make_unique<State>(model)) {}
Decoder::~Decoder() = default;

void Decoder::reserve(const CacheRoom& room) {
  state_->cache->reserve(room);
}

std::vector<std::size_t> Decoder::add_prompts(std::span<const std::vector<TokenId>> prompts) {
  const c10::InferenceMode no_gradients;
  State& s = *state_;
  std::vector<std::int64_t> ids, lengths;
  for (const std::vector<TokenId>& prompt : prompts) {
    const auto length = static_cast<std::int64_t>(prompt.size());
    if (prompt.empty() || length > s.shape.context) {
      throw Error(ErrorCode::data,
                  fmt::format("a prompt has {} tokens; the model reads 1 to {}", length, s.shape.context));
    }
    for (TokenId id : prompt) s.check(id);
    ids.insert(ids.end(), prompt.begin(), prompt.end());
    lengths.push_back(length);
  }
  std::vector<std::size_t> slots;
  if (prompts.empty()) return slots;
  for (std::int64_t length : lengths) slots.push_back(s.cache->add_prompt(length));

  Prefill attention(*s.cache, slots, lengths);
  IndexUpload lists;
  const std::size_t ids_at = lists.add(ids), positions_at = lists.add(attention.within().plan().positions);
  if (!s.device.is_cpu()) attention.within().add_to(lists);
  lists.send(s.device);
  if (!s.device.is_cpu()) attention.within().take(lists);
  const at::Tensor hidden = s.model.call(&Model::hidden, TokenBatch{lists[ids_at], lists[positions_at], attention});
  std::int64_t end = 0;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    end += lengths[i];
    if (s.last_hidden.size() <= slots[i]) s.last_hidden.resize(slots[i] + 1);
    s.last_hidden[slots[i]] = hidden.narrow(0, end - 1, 1).clone();
  }
  return slots;
}

at::Tensor Decoder::prompt_logits(std::span<const std::size_t> prompts) {
  const c10::InferenceMode no_gradients;
  std::vector<at::Tensor> rows;
  for (std::size_t slot : prompts) rows.push_back(state_->last_hidden.at(slot));
  return state_->model.call(&Model::logits, at::cat(rows)).to(at::kFloat).contiguous();
}

std::size_t Decoder::add_row(std::size_t prompt) {
  return state_->cache->add_row(prompt);
}

at::Tensor Decoder::next(std::span<const std::size_t> rows, std::span<const TokenId> tokens) {
  const c10::InferenceMode no_gradients;
  State& s = *state_;
  std::vector<std::int64_t> ids, positions;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    s.check(tokens[i]);
    ids.push_back(tokens[i]);
    positions.push_back(s.cache->length(rows[i]));
    if (positions.back() >= s.shape.context) {
      throw Error(ErrorCode::run_failed,
                  fmt::format("a response passed the end of the model's context of {} tokens", s.shape.context));
    }
  }
  const auto attention = s.cache->begin_step(rows);
  IndexUpload lists;
  const std::size_t ids_at = lists.add(ids), positions_at = lists.add(positions);
  lists.send(s.device);
  const at::Tensor hidden = s.model.call(&Model::hidden, TokenBatch{lists[ids_at], lists[positions_at], *attention});
  s.cache->end_step(rows);
  return s.model.call(&Model::logits, hidden).to(at::kFloat).contiguous();
}

std::int64_t Decoder::length(std::size_t row) const {
  return state_->cache->length(row);
}
void Decoder::drop_row(std::size_t row) {
  state_->cache->drop_row(row);
}

void Decoder::drop_prompt(std::size_t prompt) {
  state_->cache->drop_prompt(prompt);
  state_->last_hidden.at(prompt).reset();
}

}  // namespace plumb
