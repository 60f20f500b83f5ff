#include "framework/engine/modeling/attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/sum.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "framework/engine/modeling/index_upload.h"

namespace plumb {
namespace {

// Rows shorter than this share of a call's longest go to a call of their own, unless all are short anyway: a call costs
// about as much as a few thousand padded tokens.
constexpr double kFill = 0.7;
constexpr std::int64_t kShort = 48;

bool fits(const AttentionCall& call, const AttentionRow& row) {
  if (!call.causal && row.keys.length != call.rows.front().keys.length) return false;
  return call.longest <= kShort || static_cast<double>(row.queries.length) >= kFill * static_cast<double>(call.longest);
}

// Longest first; for prompts, equally long ones together, so that no key is padding.
std::vector<AttentionCall> into_calls(std::vector<AttentionRow> rows, bool causal) {
  std::stable_sort(rows.begin(), rows.end(), [&](const AttentionRow& a, const AttentionRow& b) {
    if (!causal && a.keys.length != b.keys.length) return a.keys.length > b.keys.length;
    return a.queries.length > b.queries.length;
  });
  std::vector<AttentionCall> calls;
  for (const AttentionRow& row : rows) {
    if (row.queries.length == 0 || row.keys.length == 0) continue;
    if (calls.empty() || !fits(calls.back(), row)) calls.push_back({causal, row.queries.length, {}});
    calls.back().rows.push_back(row);
  }
  return calls;
}

void add_positions(AttentionPlan& plan, std::int64_t first, std::int64_t count) {
  const auto at = plan.positions.size();
  plan.positions.resize(at + static_cast<std::size_t>(count));
  std::iota(plan.positions.begin() + static_cast<std::ptrdiff_t>(at), plan.positions.end(), first);
  plan.tokens += count;
  plan.longest = std::max(plan.longest, first + count);
}

// LibTorch's flash kernel takes its exponentials between clamps that turn NaN into a number.
bool all_finite(const at::Tensor& q, const at::Tensor& k) {
  return std::isfinite((q.sum(at::kDouble) + k.sum(at::kDouble)).item<double>());
}

}  // namespace

SequenceAttention SequenceAttention::causal(std::span<const std::int64_t> lengths) {
  auto plan = std::make_shared<AttentionPlan>();
  std::vector<AttentionRow> own;
  for (const std::int64_t length : lengths) {
    plan->groups.push_back({length, {}});
    own.push_back({{plan->tokens, length}, {plan->tokens, length}});
    add_positions(*plan, 0, length);
  }
  plan->own = into_calls(std::move(own), true);
  return SequenceAttention(std::move(plan));
}

SequenceAttention SequenceAttention::shared(std::span<const PromptGroup> groups) {
  auto plan = std::make_shared<AttentionPlan>();
  plan->groups.assign(groups.begin(), groups.end());
  std::vector<AttentionRow> own, prompt;
  for (const PromptGroup& group : groups) {
    const TokenRange keys{plan->tokens, group.prompt};
    own.push_back({keys, keys});
    add_positions(*plan, 0, group.prompt);
    const std::int64_t begin = plan->tokens;
    for (const std::int64_t length : group.responses) {
      own.push_back({{plan->tokens, length}, {plan->tokens, length}});
      add_positions(*plan, group.prompt, length);
    }
    prompt.push_back({{begin, plan->tokens - begin}, keys});
  }
  plan->own = into_calls(std::move(own), true);
  plan->prompt = into_calls(std::move(prompt), false);
  return SequenceAttention(std::move(plan));
}

void SequenceAttention::add_to(IndexUpload& upload) {
  varlen_ = add_lists(*plan_, upload);
}

void SequenceAttention::take(const IndexUpload& upload) {
  take_lists(*varlen_, upload);
}

const std::shared_ptr<VarlenLists>& SequenceAttention::varlen(const at::Device& device) {
  if (varlen_ == nullptr) {
    IndexUpload upload;
    add_to(upload);
    upload.send(device);
    take(upload);
  }
  return varlen_;
}

const PlainLists& SequenceAttention::plain(const at::Device& device) {
  if (plain_ == nullptr) plain_ = plain_lists(*plan_, device);
  return *plain_;
}

at::Tensor SequenceAttention::attend(std::int64_t /*layer*/, const at::Tensor& q, const at::Tensor& k,
                                     const at::Tensor& v, const AttentionOptions& options) {
  const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(q.size(2))));
  const bool windowed = options.window && plan_->longest > *options.window;
  if (!windowed && takes_varlen_attention(q)) return varlen_attention(varlen(q.device()), q, k, v, scale);
  if (windowed || !q.device().is_cpu()) {
    return plain_attention(plain(q.device()), q, k, v, scale, windowed ? *options.window : 0);
  }
  if (scale > 0 && takes_short_attention(*plan_, q, k)) return short_attention(plan_, q, k, v, scale);
  if (!all_finite(q.detach(), k.detach())) return plain_attention(plain(q.device()), q, k, v, scale, 0);
  return flash_attention(plan_, q, k, v, scale);
}

}  // namespace plumb
