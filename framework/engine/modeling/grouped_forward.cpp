#include "framework/engine/modeling/grouped_forward.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <numeric>

#include "framework/engine/modeling/attention.h"
#include "framework/engine/modeling/checkpointed_layers.h"
#include "framework/engine/modeling/index_upload.h"
#include "framework/engine/modeling/reward_head.h"
#include "framework/engine/modeling/token_logps.h"

namespace plumb {
namespace {

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
  IndexUpload lists;

  // On the device, from send on.
  at::Tensor ids, positions, predictors, targets, response;

  void send(const at::Device& device) {
    std::vector<std::int64_t> of_targets;
    for (std::size_t i = 0; i < layout.lengths.size(); ++i) {
      of_targets.insert(of_targets.end(), static_cast<std::size_t>(layout.lengths[i]), static_cast<std::int64_t>(i));
    }
    std::vector<std::pair<at::Tensor*, std::size_t>> sent;
    for (const auto& [to, values] : {std::pair{&ids, &layout.ids},
                                     {&positions, &layout.positions},
                                     {&predictors, &layout.predictors},
                                     {&targets, &layout.targets},
                                     {&response, &of_targets}}) {
      sent.emplace_back(to, lists.add(*values));
    }
    if (!device.is_cpu()) attention->add_to(lists);
    lists.send(device);
    for (const auto& [to, list] : sent) *to = lists[list];
    if (!device.is_cpu()) attention->take(lists);
  }
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

at::Tensor run_model(LanguageModel& model, Batch& batch) {
  batch.send(model.device());
  const TokenBatch tokens{batch.ids, batch.positions, *batch.attention};
  if (!model.gradient_checkpointing || !at::GradMode::is_enabled()) return model.model.call(&Model::hidden, tokens);
  CheckpointedLayers layers(model.model, batch.attention);
  const LayersThrough scope(layers);
  return model.model.call(&Model::hidden, tokens);
}

// Of the batch's learnt tokens; hidden [tokens, hidden] as they are predicted from.
CompletionLogps logps_of(LanguageModel& model, const at::Tensor& hidden, const Batch& batch,
                         const ForwardOptions& options) {
  at::Tensor tokens = token_logps([&model](const at::Tensor& rows) { return model.model.call(&Model::logits, rows); },
                                  hidden, batch.targets, options.temperature, options.head_chunk);
  return {std::move(tokens), batch.layout.lengths, batch.response};
}

// What the reward head reads of each response, as numbers of lists in the batch's.
struct Pooled {
  std::size_t tokens = 0, response = 0, share = 0;
};

Pooled add_pooled(Batch& batch, const RewardHead& head) {
  const Layout& layout = batch.layout;
  std::vector<std::int64_t> tokens, response;
  std::vector<double> share;
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
  return {batch.lists.add(tokens), batch.lists.add(response), batch.lists.add_reals(share)};
}

// [responses, hidden] fp32
at::Tensor pool(const at::Tensor& hidden, const Batch& batch, const Pooled& pooled, const RewardHead& head) {
  const at::Tensor read = hidden.index_select(0, batch.lists[pooled.tokens]).to(at::kFloat);
  if (head.pooling == RewardHead::Pooling::last) return read;
  const at::Tensor share = batch.lists.reals(pooled.share).to(at::kFloat);
  const auto count = static_cast<std::int64_t>(batch.layout.answers.size());
  return at::zeros({count, hidden.size(1)}, read.options())
      .index_add(0, batch.lists[pooled.response], read * share.unsqueeze(1));
}

}  // namespace

// In double: the sum of a long response keeps the digits of its terms.
at::Tensor CompletionLogps::sums() const {
  const at::Tensor zero = at::zeros({static_cast<std::int64_t>(lengths.size())}, tokens.options().dtype(at::kDouble));
  return zero.index_add(0, response, tokens.to(at::kDouble)).to(at::kFloat);
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
  Batch batch = batch_of(groups, options);
  const at::Tensor hidden = run_model(model, batch).index_select(0, batch.predictors);
  return {logps_of(model, hidden, batch, options), hidden};
}

at::Tensor completion_hidden(LanguageModel& model, std::span<const SequenceGroup> groups,
                             const ForwardOptions& options) {
  Batch batch = batch_of(groups, options);
  return run_model(model, batch).index_select(0, batch.predictors);
}

at::Tensor completion_rewards(LanguageModel& reward_model, std::span<const SequenceGroup> groups,
                              const ForwardOptions& options) {
  if (reward_model.score == nullptr) throw Error(ErrorCode::run_failed, "this model has no reward head");
  Batch batch = batch_of(groups, options);
  const RewardHead head = reward_head_of(reward_model.config);
  const Pooled pooled = add_pooled(batch, head);
  const at::Tensor hidden = run_model(reward_model, batch);
  return (*reward_model.score)(pool(hidden, batch, pooled, head)).squeeze(1);
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
  Batch batch(std::move(layout), SequenceAttention::causal(lengths));
  const at::Tensor hidden = run_model(model, batch).index_select(0, batch.predictors);
  return logps_of(model, hidden, batch, options);
}

at::Tensor full_logits(LanguageModel& model, std::span<const std::vector<TokenId>> rows) {
  Layout layout;
  std::vector<std::int64_t> lengths;
  for (const auto& row : rows) {
    layout.add(row, 0);
    lengths.push_back(static_cast<std::int64_t>(row.size()));
  }
  Batch batch(std::move(layout), SequenceAttention::causal(lengths));
  const at::Tensor hidden = run_model(model, batch);
  return model.model.call(&Model::logits, hidden).to(at::kFloat);
}

}  // namespace plumb
