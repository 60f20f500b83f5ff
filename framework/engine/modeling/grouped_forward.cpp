#include "framework/engine/modeling/grouped_forward.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <numeric>

#include "framework/engine/modeling/attention.h"
#include "framework/engine/modeling/checkpointed_layers.h"
#include "framework/engine/modeling/reward_head.h"
#include "framework/engine/modeling/token_logps.h"

namespace plumb {
namespace {

at::Tensor on(const at::Device& device, const std::vector<std::int64_t>& values) {
  return at::tensor(values, at::kLong).to(device);
}

std::vector<TokenId> tokens_of(std::span<const std::int64_t> ids, std::int64_t begin, std::int64_t length) {
  const auto part = ids.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(length));
  return {part.begin(), part.end()};
}

// The tokens of a batch with what is to be read from the hidden states.
struct Layout {
  std::vector<std::int64_t> ids, positions;
  std::vector<std::int64_t> predictors;  // the token before each learnt one
  std::vector<std::int64_t> targets;     // the learnt tokens' ids
  std::vector<std::int64_t> lengths;     // learnt tokens of each response or row
  struct Answer {                        // tokens of each response: `length` from `begin`, after those of its prompt
    std::int64_t prompt_begin, prompt_length, begin, length;
  };
  std::vector<Answer> answers;

  // Returns where the tokens begin.
  std::int64_t add(std::span<const TokenId> tokens, std::int64_t first_position) {
    const auto begin = static_cast<std::int64_t>(ids.size());
    ids.insert(ids.end(), tokens.begin(), tokens.end());
    positions.resize(ids.size());
    std::iota(positions.begin() + begin, positions.end(), first_position);
    return begin;
  }
  void learn(std::int64_t predictor, TokenId target) {
    predictors.push_back(predictor);
    targets.push_back(target);
  }
};

void check_group(const SequenceGroup& group) {
  if (group.prompt.empty()) {
    throw Error(ErrorCode::data,
                "a prompt has no tokens; the first token of its responses could not be predicted (a BOS would do)");
  }
  for (const auto& completion : group.completions) {
    if (completion.empty()) throw Error(ErrorCode::data, "a response has no tokens; drop it, or keep its EOS");
  }
}

// Behind a prompt of `length` tokens that begins at `prompt`.
void add_completion(Layout& layout, const std::vector<TokenId>& completion, std::int64_t prompt, std::int64_t length) {
  const std::int64_t begin = layout.add(completion, length), before = prompt + length - 1;
  for (std::size_t t = 0; t < completion.size(); ++t) {
    layout.learn(t == 0 ? before : begin + static_cast<std::int64_t>(t) - 1, completion[t]);
  }
  layout.lengths.push_back(static_cast<std::int64_t>(completion.size()));
  layout.answers.push_back({prompt, length, begin, static_cast<std::int64_t>(completion.size())});
}

struct Batch {
  Batch(Layout tokens, SequenceAttention of_tokens)
      : layout(std::move(tokens)), attention(std::make_shared<SequenceAttention>(std::move(of_tokens))) {}
  Layout layout;
  std::shared_ptr<SequenceAttention> attention;
};

Batch shared_batch(std::span<const SequenceGroup> groups) {
  Layout layout;
  std::vector<PromptGroup> shapes;
  for (const SequenceGroup& group : groups) {
    check_group(group);
    const auto length = static_cast<std::int64_t>(group.prompt.size());
    const std::int64_t begin = layout.add(group.prompt, 0);
    PromptGroup& shape = shapes.emplace_back(PromptGroup{length, {}});
    for (const auto& completion : group.completions) {
      add_completion(layout, completion, begin, length);
      shape.responses.push_back(layout.lengths.back());
    }
  }
  return {std::move(layout), SequenceAttention::shared(shapes)};
}

Batch separate_batch(std::span<const SequenceGroup> groups) {
  Layout layout;
  std::vector<std::int64_t> lengths;
  for (const SequenceGroup& group : groups) {
    check_group(group);
    const auto length = static_cast<std::int64_t>(group.prompt.size());
    for (const auto& completion : group.completions) {
      add_completion(layout, completion, layout.add(group.prompt, 0), length);
      lengths.push_back(length + layout.lengths.back());
    }
  }
  return {std::move(layout), SequenceAttention::causal(lengths)};
}

Batch batch_of(std::span<const SequenceGroup> groups, const ForwardOptions& options) {
  return options.share_prompt ? shared_batch(groups) : separate_batch(groups);
}

at::Tensor run_model(LanguageModel& model, const Batch& batch) {
  const at::Device device = model.device();
  const TokenBatch tokens{on(device, batch.layout.ids), on(device, batch.layout.positions), *batch.attention};
  if (!model.gradient_checkpointing || !at::GradMode::is_enabled()) return model.model.call(&Model::hidden, tokens);
  CheckpointedLayers layers(model.model, batch.attention);
  const LayersThrough scope(layers);
  return model.model.call(&Model::hidden, tokens);
}

at::Tensor logps_of(LanguageModel& model, const at::Tensor& hidden, const Layout& layout,
                    const ForwardOptions& options) {
  return token_logps([&model](const at::Tensor& rows) { return model.model.call(&Model::logits, rows); }, hidden,
                     on(hidden.device(), layout.targets), options.temperature, options.head_chunk);
}

// [responses, hidden] fp32: what the reward head reads of each response.
at::Tensor pool(const at::Tensor& hidden, const Layout& layout, const RewardHead& head) {
  std::vector<std::int64_t> tokens, response;
  std::vector<float> share;
  for (std::size_t i = 0; i < layout.answers.size(); ++i) {
    const Layout::Answer& a = layout.answers[i];
    if (head.pooling == RewardHead::Pooling::last) {
      const std::span ids(layout.ids);
      const std::int64_t at =
          read_position(head, tokens_of(ids, a.prompt_begin, a.prompt_length), tokens_of(ids, a.begin, a.length));
      tokens.push_back(at < a.prompt_length ? a.prompt_begin + at : a.begin + at - a.prompt_length);
      continue;
    }
    for (const auto& [begin, length] : {std::pair{a.prompt_begin, a.prompt_length}, {a.begin, a.length}}) {
      for (std::int64_t t = 0; t < length; ++t) tokens.push_back(begin + t);
    }
    response.resize(tokens.size(), static_cast<std::int64_t>(i));
    share.resize(tokens.size(), 1.0F / static_cast<float>(a.prompt_length + a.length));
  }
  const at::Tensor read = hidden.index_select(0, on(hidden.device(), tokens)).to(at::kFloat);
  if (head.pooling == RewardHead::Pooling::last) return read;
  const auto count = static_cast<std::int64_t>(layout.answers.size());
  return at::zeros({count, hidden.size(1)}, read.options())
      .index_add(0, on(hidden.device(), response), read * at::tensor(share).to(hidden.device()).unsqueeze(1));
}

}  // namespace

// In double: the sum of a long response keeps the digits of its terms.
at::Tensor CompletionLogps::sums() const {
  std::vector<std::int64_t> response;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    response.insert(response.end(), static_cast<std::size_t>(lengths[i]), static_cast<std::int64_t>(i));
  }
  const at::Tensor zero = at::zeros({static_cast<std::int64_t>(lengths.size())}, tokens.options().dtype(at::kDouble));
  return zero.index_add(0, on(tokens.device(), response), tokens.to(at::kDouble)).to(at::kFloat);
}

std::vector<at::Tensor> CompletionLogps::per_response() const {
  return tokens.split_with_sizes(lengths);
}

CompletionLogps completion_logps(LanguageModel& model, std::span<const SequenceGroup> groups,
                                 const ForwardOptions& options) {
  return completion_states(model, groups, options).logps;
}

CompletionStates completion_states(LanguageModel& model, std::span<const SequenceGroup> groups,
                                   const ForwardOptions& options) {
  const Batch batch = batch_of(groups, options);
  const at::Tensor hidden = run_model(model, batch).index_select(0, on(model.device(), batch.layout.predictors));
  return {{logps_of(model, hidden, batch.layout, options), batch.layout.lengths}, hidden};
}

at::Tensor completion_hidden(LanguageModel& model, std::span<const SequenceGroup> groups,
                             const ForwardOptions& options) {
  const Batch batch = batch_of(groups, options);
  return run_model(model, batch).index_select(0, on(model.device(), batch.layout.predictors));
}

at::Tensor completion_rewards(LanguageModel& reward_model, std::span<const SequenceGroup> groups,
                              const ForwardOptions& options) {
  if (reward_model.score == nullptr) throw Error(ErrorCode::run_failed, "this model has no reward head");
  const Batch batch = batch_of(groups, options);
  const RewardHead head = reward_head_of(reward_model.config);
  const at::Tensor pooled = pool(run_model(reward_model, batch), batch.layout, head);
  return (*reward_model.score)(pooled).squeeze(1);
}

CompletionLogps masked_logps(LanguageModel& model, std::span<const MaskedSequence> rows,
                             const ForwardOptions& options) {
  Layout layout;
  std::vector<std::int64_t> lengths;
  for (const MaskedSequence& row : rows) {
    if (row.learn.size() != row.ids.size()) {
      throw Error(ErrorCode::run_failed, "a row has " + std::to_string(row.ids.size()) + " ids, but " +
                                             std::to_string(row.learn.size()) + " marks of what to learn");
    }
    const std::int64_t begin = layout.add(row.ids, 0);
    const std::size_t before = layout.targets.size();
    for (std::size_t t = 1; t < row.ids.size(); ++t) {
      if (row.learn[t] != 0) layout.learn(begin + static_cast<std::int64_t>(t) - 1, row.ids[t]);
    }
    layout.lengths.push_back(static_cast<std::int64_t>(layout.targets.size() - before));
    lengths.push_back(static_cast<std::int64_t>(row.ids.size()));
  }
  const Batch batch(std::move(layout), SequenceAttention::causal(lengths));
  const at::Tensor hidden = run_model(model, batch).index_select(0, on(model.device(), batch.layout.predictors));
  return {logps_of(model, hidden, batch.layout, options), batch.layout.lengths};
}

at::Tensor full_logits(LanguageModel& model, std::span<const std::vector<TokenId>> rows) {
  Layout layout;
  std::vector<std::int64_t> lengths;
  for (const auto& row : rows) {
    layout.add(row, 0);
    lengths.push_back(static_cast<std::int64_t>(row.size()));
  }
  const Batch batch(std::move(layout), SequenceAttention::causal(lengths));
  const at::Tensor hidden = run_model(model, batch);
  return model.model.call(&Model::logits, hidden).to(at::kFloat);
}

}  // namespace plumb
