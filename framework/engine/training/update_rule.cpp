#include "framework/engine/training/update_rule.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
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
    m.step = at::zeros({}, like.options());
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
  step_group(rate, true);
  step_group(rate, false);
}

void UpdateRule::step_group(double rate, bool decays) {
  std::vector<at::Tensor> values, gradients, first, second, steps;
  std::vector<std::pair<at::Tensor, at::Tensor>> rounded;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const TrainedTensor& trained = tensors_[i];
    if (trained.decays != decays || !trained.value.grad().defined()) continue;
    Moments& m = moments_[i];
    m.step.fill_(static_cast<double>(++updates_[i]));
    if (m.master.defined()) rounded.emplace_back(trained.value, m.master);
    values.push_back(m.master.defined() ? m.master : trained.value);
    gradients.push_back(m.master.defined() ? trained.value.grad().to(at::kFloat) : trained.value.grad());
    first.push_back(m.first);
    second.push_back(m.second);
    steps.push_back(m.step);
  }
  if (values.empty()) return;
  at::_fused_adamw_(values, gradients, first, second, {}, steps, rate, settings_.beta1, settings_.beta2,
                    decays ? settings_.weight_decay : 0.0, settings_.epsilon, /*amsgrad=*/false, /*maximize=*/false);
  for (auto& [parameter, master] : rounded) parameter.copy_(master);
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
  for (std::size_t i = 0; i < moments_.size(); ++i) moments_[i].step.fill_(static_cast<double>(updates_[i]));
}

}  // namespace plumb
