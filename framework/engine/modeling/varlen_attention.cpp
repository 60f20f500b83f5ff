// A GPU's flash kernel over the sequences of a plan as they lie end to end: no padding, no masks, q·kᵀ is never held.
// Own tokens in one call; the responses of all groups on their prompts in a second, merged by log-sum-exp. Backward,
// each call gets the merged output and log-sum-exp, for the reason that flash_attention.cpp gives.
#include <ATen/TensorOperators.h>
#include <ATen/ops/_flash_attention_backward.h>
#include <ATen/ops/_flash_attention_forward.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/logaddexp.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "framework/engine/modeling/attention.h"
#include "framework/engine/modeling/index_upload.h"
#include "framework/engine/modeling/saved_plan.h"

namespace plumb {
namespace {

// Ranges of tokens, as one range where they are neighbours.
struct Rows {
  at::Tensor index;  // [n], or undefined: `range`
  TokenRange range;
  [[nodiscard]] at::Tensor of(const at::Tensor& x, std::int64_t dim = 0) const {
    return index.defined() ? x.index_select(dim, index) : x.narrow(dim, range.begin, range.length);
  }
  void add(const at::Tensor& to, const at::Tensor& part) const {
    if (index.defined()) {
      to.index_add_(0, index, part);
    } else {
      to.narrow(0, range.begin, range.length).add_(part);
    }
  }
  void set(const at::Tensor& to, std::int64_t dim, const at::Tensor& part) const {
    if (index.defined()) {
      to.index_copy_(dim, index, part);
    } else {
      to.narrow(dim, range.begin, range.length).copy_(part);
    }
  }
};

}  // namespace

// The lists of a plan, and on a device.
struct VarlenLists {
  std::vector<std::int64_t> offsets;             // of sequences, of answers on prompts, of their prompts
  std::vector<std::int64_t> responses, prompts;  // tokens
  std::int64_t sequences = 0, groups = 0;
  std::int64_t longest = 0, longest_answers = 0, longest_prompt = 0;
  std::size_t at[3] = {};  // numbers of the lists above in the upload

  at::Tensor own, response_offsets, prompt_offsets;  // int32
  Rows response_rows, prompt_rows;
};

namespace {

void add_tokens(std::vector<std::int64_t>& to, const TokenRange& range) {
  for (std::int64_t t = 0; t < range.length; ++t) to.push_back(range.begin + t);
}

std::shared_ptr<VarlenLists> lists_of(const AttentionPlan& plan) {
  auto lists = std::make_shared<VarlenLists>();
  VarlenLists& l = *lists;
  std::vector<std::int64_t> own{0}, answers{0}, prompts{0};
  for (const PromptGroup& group : plan.groups) {
    const TokenRange prompt{own.back(), group.prompt};
    const auto sequence = [&](std::int64_t length) {
      own.push_back(own.back() + length);
      l.longest = std::max(l.longest, length);
    };
    sequence(group.prompt);
    for (const std::int64_t length : group.responses) sequence(length);
    const TokenRange answered{prompt.begin + prompt.length, own.back() - prompt.begin - prompt.length};
    if (answered.length == 0 || prompt.length == 0) continue;
    answers.push_back(answers.back() + answered.length);
    prompts.push_back(prompts.back() + prompt.length);
    l.longest_answers = std::max(l.longest_answers, answered.length);
    l.longest_prompt = std::max(l.longest_prompt, prompt.length);
    add_tokens(l.responses, answered);
    add_tokens(l.prompts, prompt);
  }
  l.sequences = static_cast<std::int64_t>(own.size()) - 1;
  l.groups = static_cast<std::int64_t>(answers.size()) - 1;
  for (const auto* part : {&own, &answers, &prompts}) l.offsets.insert(l.offsets.end(), part->begin(), part->end());
  return lists;
}

struct SavedLists : torch::CustomClassHolder {
  SavedLists(std::shared_ptr<const VarlenLists> l, double s) : lists(std::move(l)), scale(s) {}
  std::shared_ptr<const VarlenLists> lists;
  double scale;
};

struct Answered {
  at::Tensor out, lse, random, unused;  // lse [heads, tokens]
};

Answered flash(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& query_offsets,
               const at::Tensor& key_offsets, std::int64_t longest, std::int64_t longest_keys, bool causal,
               double scale) {
  auto [out, lse, random, unused, debug] = at::_flash_attention_forward(
      q, k, v, query_offsets, key_offsets, longest, longest_keys, 0.0, causal, /*return_debug_mask=*/false, scale);
  return {std::move(out), std::move(lse), std::move(random), std::move(unused)};
}

// Adds the responses' attention to their prompts to `own`.
void merge(const Answered& own, const Answered& prompt, const VarlenLists& l) {
  const at::Tensor before = l.response_rows.of(own.lse, 1), whole = at::logaddexp(before, prompt.lse);
  const auto share = [&](const at::Tensor& lse) { return (lse - whole).exp_().t().unsqueeze(2); };
  const at::Tensor merged = (l.response_rows.of(own.out) * share(before)).addcmul_(prompt.out, share(prompt.lse));
  l.response_rows.set(own.out, 0, merged.to(own.out.scalar_type()));
  l.response_rows.set(own.lse, 1, whole);
}

class Varlen : public torch::autograd::Function<Varlen> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& q_any, const at::Tensor& k_any,
                            const at::Tensor& v_any, const c10::intrusive_ptr<SavedLists>& saved) {
    const at::Tensor q = with_dense_heads(q_any), k = with_dense_heads(k_any), v = with_dense_heads(v_any);
    const VarlenLists& l = *saved->lists;
    const Answered own = flash(q, k, v, l.own, l.own, l.longest, l.longest, true, saved->scale);
    if (l.groups > 0) {
      merge(own,
            flash(l.response_rows.of(q), l.prompt_rows.of(k), l.prompt_rows.of(v), l.response_offsets, l.prompt_offsets,
                  l.longest_answers, l.longest_prompt, false, saved->scale),
            l);
    }
    context->save_for_backward({q, k, v, own.out, own.lse, own.random, own.unused});
    context->saved_data["lists"] = c10::IValue::make_capsule(saved);
    return own.out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto holder = context->saved_data["lists"].toCapsule();
    const auto& kept = static_cast<const SavedLists&>(*holder);
    const VarlenLists& l = *kept.lists;
    const double scale = kept.scale;
    const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[3], &lse = saved[4];
    const at::Tensor grad = with_dense_heads(grads[0]);
    auto [dq, dk, dv] = at::_flash_attention_backward(grad, q, k, v, out, lse, l.own, l.own, l.longest, l.longest, 0.0,
                                                      /*is_causal=*/true, saved[5], saved[6], scale);
    if (l.groups > 0) {
      const auto [pq, pk, pv] = at::_flash_attention_backward(
          l.response_rows.of(grad), l.response_rows.of(q), l.prompt_rows.of(k), l.prompt_rows.of(v),
          l.response_rows.of(out), l.response_rows.of(lse, 1).contiguous(), l.response_offsets, l.prompt_offsets,
          l.longest_answers, l.longest_prompt, 0.0, /*is_causal=*/false, saved[5], saved[6], scale);
      l.response_rows.add(dq, pq);
      l.prompt_rows.add(dk, pk);
      l.prompt_rows.add(dv, pv);
    }
    return {dq, dk, dv, at::Tensor()};
  }
};

// Whether the device has the kernel: LibTorch may be built without it, and GPUs before Ampere do not run it.
bool has_kernel(const at::Device& device, at::ScalarType type) {
  static std::mutex mutex;
  static std::map<std::pair<c10::DeviceType, int>, bool> known;
  const std::lock_guard lock(mutex);
  const auto [found, is_new] = known.try_emplace({device.type(), device.index()}, false);
  if (!is_new) return found->second;
  try {
    const at::Tensor x = at::zeros({1, 1, 64}, at::TensorOptions(type).device(device));
    const at::Tensor offsets = at::arange(2, at::TensorOptions(at::kInt).device(device));
    found->second = flash(x, x, x, offsets, offsets, 1, 1, true, 1).lse.dim() == 2;  // [heads, tokens]
  } catch (const c10::Error&) {
    found->second = false;
  }
  return found->second;
}

}  // namespace

bool takes_varlen_attention(const at::Tensor& q) {
  const bool half = q.scalar_type() == at::kBFloat16 || q.scalar_type() == at::kHalf;
  return !q.device().is_cpu() && half && q.size(2) % 8 == 0 && q.size(2) <= 256 &&
         has_kernel(q.device(), q.scalar_type());
}

std::shared_ptr<VarlenLists> add_lists(const AttentionPlan& plan, IndexUpload& upload) {
  auto lists = lists_of(plan);
  lists->at[0] = upload.add(lists->offsets);
  if (lists->groups != 1) {  // of one group they are one range each
    lists->at[1] = upload.add(lists->responses);
    lists->at[2] = upload.add(lists->prompts);
  }
  return lists;
}

void take_lists(VarlenLists& lists, const IndexUpload& upload) {
  const at::Tensor offsets = upload[lists.at[0]].to(at::kInt);
  lists.own = offsets.narrow(0, 0, lists.sequences + 1);
  lists.response_offsets = offsets.narrow(0, lists.sequences + 1, lists.groups + 1);
  lists.prompt_offsets = offsets.narrow(0, lists.sequences + lists.groups + 2, lists.groups + 1);
  if (lists.groups == 1) {
    const auto range = [](const std::vector<std::int64_t>& tokens) {
      return TokenRange{tokens.front(), static_cast<std::int64_t>(tokens.size())};
    };
    lists.response_rows.range = range(lists.responses);
    lists.prompt_rows.range = range(lists.prompts);
  } else {
    lists.response_rows.index = upload[lists.at[1]];
    lists.prompt_rows.index = upload[lists.at[2]];
  }
}

at::Tensor varlen_attention(std::shared_ptr<const VarlenLists> lists, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, double scale) {
  return Varlen::apply(q, k, v, c10::make_intrusive<SavedLists>(std::move(lists), scale));
}

}  // namespace plumb
