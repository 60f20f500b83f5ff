#include "framework/engine/modeling/token_logps.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace plumb {
namespace {

constexpr std::int64_t kKept = 1LL << 24;  // logits that are cheaper to keep (64 MiB) than to compute twice

at::Tensor logps_of(const at::Tensor& logits, const at::Tensor& targets, double temperature) {
  at::Tensor exact = logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat);
  if (temperature != 1) exact = exact.div(temperature);
  return at::cross_entropy_loss(exact, targets, {}, at::Reduction::None).neg();
}

struct SavedLogits : torch::CustomClassHolder {
  LogitsFunction logits;
  double temperature = 1;
};

// One chunk that keeps its hidden states only.
class Recomputed : public torch::autograd::Function<Recomputed> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& hidden,
                            const at::Tensor& targets, const c10::intrusive_ptr<SavedLogits>& saved) {
    context->save_for_backward({hidden, targets});
    context->saved_data["logits"] = c10::IValue::make_capsule(saved);
    return logps_of(saved->logits(hidden), targets, saved->temperature);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const auto tensors = context->get_saved_variables();
    const auto holder = context->saved_data["logits"].toCapsule();
    const auto& saved = static_cast<const SavedLogits&>(*holder);
    const at::Tensor hidden = tensors[0].detach().set_requires_grad(true);
    {
      const at::AutoGradMode on(true);
      torch::autograd::backward({logps_of(saved.logits(hidden), tensors[1], saved.temperature)}, {grads[0]});
    }
    return {hidden.grad(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor token_logps(const LogitsFunction& logits, const at::Tensor& hidden, const at::Tensor& targets,
                       double temperature, std::int64_t chunk) {
  const std::int64_t rows = hidden.size(0);
  if (rows == 0) return at::empty({0}, hidden.options().dtype(at::kFloat));
  chunk = std::max<std::int64_t>(1, chunk);
  const bool learning = at::GradMode::is_enabled() && hidden.requires_grad();
  c10::intrusive_ptr<SavedLogits> saved;
  std::vector<at::Tensor> parts;
  for (std::int64_t begin = 0; begin < rows; begin += chunk) {
    const std::int64_t count = std::min(chunk, rows - begin);
    const at::Tensor h = hidden.narrow(0, begin, count), t = targets.narrow(0, begin, count);
    if (saved) {
      parts.push_back(Recomputed::apply(h, t, saved));
      continue;
    }
    const at::Tensor now = logits(h);
    parts.push_back(logps_of(now, t, temperature));
    // The first chunk shows how wide the vocabulary is; if the rest is too large to keep, it is computed twice.
    if (learning && now.size(1) * rows > kKept) {
      saved = c10::make_intrusive<SavedLogits>();
      saved->logits = logits;
      saved->temperature = temperature;
    }
  }
  return parts.size() == 1 ? parts.front() : at::cat(parts);
}

}  // namespace plumb
