// Attention over whole sequences laid end to end, for training and scoring: no padding outside attention, no masks, and
// a prompt computed once for all its responses.
//
//   SequenceAttention attention = SequenceAttention::causal(lengths);           // plain sequences
//   SequenceAttention attention = SequenceAttention::shared(groups);     // prompt, its responses, next prompt, …
//   at::Tensor hidden = model.hidden({ids, positions, attention});
//
// Work is cut into calls of one kernel: rows of similar length are padded together. A response attends to its prompt
// (every key) and to itself (causal) in two calls, merged by their log-sum-exp.
// Thread contract: [lane].
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "plumb/tensor/attention.h"

namespace plumb {

// Consecutive tokens of a batch.
struct TokenRange {
  std::int64_t begin = 0, length = 0;
};

struct AttentionRow {
  TokenRange queries, keys;
};

// Rows for one kernel call, right-padded to `longest` queries. Causal: each token of a range attends to those of the
// range up to itself (queries and keys are one range). Else: every query attends to every key, and all rows have
// equally many.
struct AttentionCall {
  bool causal = true;
  std::int64_t longest = 0;
  std::vector<AttentionRow> rows;
};

// A prompt and its responses, in the order of the tokens. A plain sequence is a prompt without responses.
struct PromptGroup {
  std::int64_t prompt = 0;              // tokens
  std::vector<std::int64_t> responses;  // tokens of each
};

// What to compute for a batch. Every token is a query of exactly one call of `own`, and of at most one of `prompt`.
struct AttentionPlan {
  std::int64_t tokens = 0;
  std::vector<PromptGroup> groups;
  std::int64_t longest = 0;             // tokens of the longest sequence, prompt included
  std::vector<std::int64_t> positions;  // [tokens] of each token in its own sequence
  std::vector<AttentionCall> own;       // causal
  std::vector<AttentionCall> prompt;    // responses to their prompt
};

class IndexUpload;
struct VarlenLists;  // what varlen_attention.cpp reads of a plan, on a device
struct PlainLists;   // what plain_attention.cpp does

class SequenceAttention final : public Attention {
 public:
  static SequenceAttention causal(std::span<const std::int64_t> lengths);
  static SequenceAttention shared(std::span<const PromptGroup> groups);

  at::Tensor attend(std::int64_t layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    const AttentionOptions& options) override;

  // Sends what the flash kernel of a GPU reads of the plan together with the other lists of a batch; else the first
  // layer sends it. First add_to, then take from the upload that was sent.
  void add_to(IndexUpload& upload);
  void take(const IndexUpload& upload);

  [[nodiscard]] const AttentionPlan& plan() const { return *plan_; }

 private:
  explicit SequenceAttention(std::shared_ptr<const AttentionPlan> plan) : plan_(std::move(plan)) {}
  const std::shared_ptr<VarlenLists>& varlen(const at::Device& device);
  const PlainLists& plain(const at::Device& device);

  std::shared_ptr<const AttentionPlan> plan_;
  std::shared_ptr<VarlenLists> varlen_;
  std::shared_ptr<const PlainLists> plain_;
};

// The ways to carry out a plan; q, k, v and the result as in Attention::attend, all differentiable.
// On the CPU in float, for short sequences: no padding at all, one pass over prompt and own tokens. The flash kernel
// works in blocks that are several times larger than such sequences.
bool takes_short_attention(const AttentionPlan& plan, const at::Tensor& q, const at::Tensor& k);
at::Tensor short_attention(std::shared_ptr<const AttentionPlan> plan, const at::Tensor& q, const at::Tensor& k,
                           const at::Tensor& v, double scale);
// On the CPU, through its flash kernel: q·kᵀ is never held whole, forward or backward.
at::Tensor flash_attention(std::shared_ptr<const AttentionPlan> plan, const at::Tensor& q, const at::Tensor& k,
                           const at::Tensor& v, double scale);
// On a GPU in bfloat16 or half, through its flash kernel; `lists` are add_lists of the plan after take_lists.
bool takes_varlen_attention(const at::Tensor& q);
std::shared_ptr<VarlenLists> add_lists(const AttentionPlan& plan, IndexUpload& upload);
void take_lists(VarlenLists& lists, const IndexUpload& upload);
at::Tensor varlen_attention(std::shared_ptr<const VarlenLists> lists, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, double scale);
// Anywhere, in plain operators with masks; the only one that knows sliding windows (0: none). `lists` serve every
// layer.
std::shared_ptr<const PlainLists> plain_lists(const AttentionPlan& plan, const at::Device& device);
at::Tensor plain_attention(const PlainLists& lists, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           double scale, std::int64_t window);

}  // namespace plumb
