#include "framework/engine/training/update_rule.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "plumb/error.h"

namespace plumb {

UpdateRule::UpdateRule(std::vector<TrainedTensor> tensors, const Settings& settings)
    : tensors_(std::move(tensors)), updates_(tensors_.size(), 0), settings_(settings) {
  const at::NoGradGuard no_grad;
  for (const TrainedTensor& trained : tensors_) {
    Moments m;
    if (trained.value.scalar_type() != at::kFloat) m.master = trained.value.detach().to(at::kFloat);
    const at::Tensor& like = m.master.defined() ? m.master : trained.value;
    m.first = at::zeros_like(like);
    m.second = at::zeros_like(like);
    moments_.push_back(std::move(m));
  }
}

std::vector<at::Tensor> UpdateRule::gradients() const {
  std::vector<at::Tensor> found;
  found.reserve(tensors_.size());
  for (const TrainedTensor& trained : tensors_) {
    if (trained.value.grad().defined()) found.push_back(trained.value.grad());
  }
  return found;
}

double UpdateRule::gradient_norm() const {
  const at::NoGradGuard no_grad;
  const auto all = gradients();
  if (all.empty()) return 0;
  return at::linalg_vector_norm(at::stack(at::_foreach_norm(all, 2, at::kFloat))).item<double>();
}

void UpdateRule::clip(double norm, double max_norm) {
  if (max_norm <= 0) return;
  const double scale = max_norm / (norm + 1e-6);
  if (scale >= 1) return;
  const at::NoGradGuard no_grad;
  at::_foreach_mul_(gradients(), scale);
}

void UpdateRule::step(double rate) {
  const at::NoGradGuard no_grad;
  for (const bool decays : {true, false}) {
    std::vector<std::size_t> some;
    std::int64_t widened = 0;
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      const TrainedTensor& trained = tensors_[i];
      if (trained.decays != decays || !trained.value.grad().defined()) continue;
      const std::int64_t bytes = moments_[i].master.defined() ? moments_[i].master.numel() * 4 : 0;
      if (!some.empty() && widened + bytes > settings_.widened) {
        step_some(rate, some, decays);
        some.clear();
        widened = 0;
      }
      some.push_back(i);
      widened += bytes;
    }
    step_some(rate, some, decays);
  }
}

void UpdateRule::step_some(double rate, std::span<const std::size_t> some, bool decays) {
  if (some.empty()) return;
  std::vector<at::Tensor> values, gradients, first, second, steps;
  std::map<std::int64_t, at::Tensor> counts;  // float scalars, what the fused kernel reads
  for (const std::size_t i : some) {
    TrainedTensor& trained = tensors_[i];
    const Moments& m = moments_[i];
    at::Tensor& count = counts[++updates_[i]];
    if (!count.defined()) count = at::full({}, static_cast<double>(updates_[i]), m.first.options());
    at::Tensor gradient = std::move(trained.value.mutable_grad());
    values.push_back(m.master.defined() ? m.master : trained.value);
    gradients.push_back(m.master.defined() ? gradient.to(at::kFloat) : gradient);
    first.push_back(m.first);
    second.push_back(m.second);
    steps.push_back(count);
  }
  at::_fused_adamw_(values, gradients, first, second, {}, steps, rate, settings_.beta1, settings_.beta2,
                    decays ? settings_.weight_decay : 0.0, settings_.epsilon, /*amsgrad=*/false, /*maximize=*/false);
  for (const std::size_t i : some) {
    if (moments_[i].master.defined()) tensors_[i].value.copy_(moments_[i].master);
  }
}

void UpdateRule::clear_gradients() {
  for (TrainedTensor& trained : tensors_) trained.value.mutable_grad().reset();
}

std::string UpdateRule::first_bad_gradient() const {
  const at::NoGradGuard no_grad;
  for (const TrainedTensor& trained : tensors_) {
    const at::Tensor& gradient = trained.value.grad();
    if (gradient.defined() && !at::isfinite(gradient).all().item<bool>()) return trained.name;
  }
  return {};
}

// By the largest magnitude, which a NaN or an infinity decides and no finite weight makes overflow.
std::string UpdateRule::first_bad_value() const {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> values;
  for (const TrainedTensor& trained : tensors_) {
    if (trained.value.numel() > 0) values.push_back(trained.value.detach());
  }
  if (values.empty()) return {};
  const auto largest = at::_foreach_norm(values, INFINITY, at::kFloat);
  if (at::isfinite(at::stack(largest)).all().item<bool>()) return {};
  for (const TrainedTensor& trained : tensors_) {
    if (!at::isfinite(trained.value).all().item<bool>()) return trained.name;
  }
  return {};
}

UpdateRule::NamedTensors UpdateRule::state() const {
  NamedTensors out;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const std::string& name = tensors_[i].name;
    out.emplace_back(name, tensors_[i].value.detach());
    out.emplace_back(name + ".exp_avg", moments_[i].first);
    out.emplace_back(name + ".exp_avg_sq", moments_[i].second);
    if (moments_[i].master.defined()) out.emplace_back(name + ".master", moments_[i].master);
  }
  return out;
}

void UpdateRule::restore(const std::map<std::string, at::Tensor>& state, const std::vector<std::int64_t>& updates) {
  const at::NoGradGuard no_grad;
  const NamedTensors targets = this->state();
  if (updates.size() != tensors_.size() || state.size() != targets.size()) {
    throw Error(ErrorCode::data, "the checkpoint holds " + std::to_string(state.size()) +
                                     " tensors; this model and its " + "update rule have " +
                                     std::to_string(targets.size()));
  }
  for (const auto& [name, target] : targets) {  // look before the first copy: a refused checkpoint changes nothing
    const auto found = state.find(name);
    if (found == state.end()) throw Error(ErrorCode::data, "the checkpoint has no tensor '" + name + "'");
    if (found->second.sizes() != target.sizes() || found->second.scalar_type() != target.scalar_type()) {
      throw Error(ErrorCode::data, "the checkpoint's tensor '" + name + "' has another shape or type than the model's");
    }
  }
  for (const auto& [name, target] : targets) target.copy_(state.at(name));
  updates_ = updates;
}

}  // namespace plumb
