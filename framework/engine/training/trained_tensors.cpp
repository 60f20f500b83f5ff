#include "framework/engine/training/trained_tensors.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>

#include <array>
#include <cmath>

#include "plumb/error.h"

namespace plumb {
namespace {

// What the rule keeps of a tensor, by the end of its name: the value itself, the moments, the master copy.
constexpr std::array kKinds{"", ".exp_avg", ".exp_avg_sq", ".master"};

}  // namespace

std::vector<TrainedTensor> trained_tensors(const LanguageModel& model) {
  std::vector<TrainedTensor> tensors;
  for (const Parameter* parameter : model.trainable()) {
    tensors.push_back({parameter->name, *parameter->tensor, parameter->decays});
  }
  return tensors;
}

TrainedTensors::TrainedTensors(std::vector<TrainedTensor> tensors, const UpdateRule::Settings& settings,
                               LanguageModel* in_parts)
    : tensors_(std::move(tensors)) {
  if (in_parts != nullptr) layers_ = std::make_unique<ShardedLayers>(*in_parts, ranks());
  for (const TrainedTensor& tensor : tensors_) {
    if (layers_ == nullptr || layers_->part_of(tensor.name) == nullptr) whole_.push_back(tensor);
  }
  std::vector<TrainedTensor> here = whole_;
  if (layers_ != nullptr) {
    for (const TrainedTensor& part : layers_->parts()) here.push_back(part);
  }
  rule_.emplace(std::move(here), settings);
}

void TrainedTensors::begin_round(int contributing) {
  if (layers_ != nullptr) layers_->begin_round(contributing);
}

void TrainedTensors::end_round() {
  if (layers_ != nullptr) layers_->end_round();
}

void TrainedTensors::hand_out() {
  if (layers_ != nullptr) layers_->hand_out();
}

double TrainedTensors::gradient_norm() const {
  if (layers_ == nullptr) return rule_->gradient_norm();
  const at::NoGradGuard no_grad;
  const std::map<std::string, at::Tensor> of_layers = layers_->norms();
  std::vector<at::Tensor> norms;
  for (const TrainedTensor& tensor : tensors_) {
    const auto found = of_layers.find(tensor.name);
    if (found != of_layers.end()) {
      norms.push_back(found->second);
    } else if (tensor.value.grad().defined()) {
      norms.push_back(at::_foreach_norm({tensor.value.grad()}, 2, at::kFloat).front());
    }
  }
  return norms.empty() ? 0 : at::linalg_vector_norm(at::stack(norms)).item<double>();
}

std::string TrainedTensors::first_bad_gradient() const {
  if (layers_ == nullptr) return rule_->first_bad_gradient();
  const std::map<std::string, at::Tensor> of_layers = layers_->norms();
  const std::string whole = rule_->first_bad_gradient();  // or the name of a part
  for (const TrainedTensor& tensor : tensors_) {
    const auto found = of_layers.find(tensor.name);
    if (found != of_layers.end() ? !std::isfinite(found->second.item<double>()) : tensor.name == whole)
      return tensor.name;
  }
  return {};
}

std::vector<std::int64_t> TrainedTensors::updates() const {
  if (layers_ == nullptr) return rule_->updates();
  std::map<std::string, std::int64_t> of_rule;
  for (std::size_t i = 0; i < rule_->tensors().size(); ++i) of_rule[rule_->tensors()[i].name] = rule_->updates()[i];
  std::vector<std::int64_t> out;
  for (const TrainedTensor& tensor : tensors_) {
    const TrainedTensor* part = layers_->part_of(tensor.name);
    out.push_back(of_rule.at(part == nullptr ? tensor.name : part->name));
  }
  return out;
}

std::vector<TensorToWrite> TrainedTensors::state() const {
  std::map<std::string, at::Tensor> here;
  for (auto& [name, tensor] : rule_->state()) here[name] = tensor;
  std::vector<TensorToWrite> out;
  for (const TrainedTensor& tensor : tensors_) {
    const TrainedTensor* part = layers_ == nullptr ? nullptr : layers_->part_of(tensor.name);
    for (const char* kind : kKinds) {
      const auto found = here.find((part == nullptr ? tensor.name : part->name) + kind);
      if (found == here.end()) continue;
      const at::Tensor& value = found->second;
      const std::string name = tensor.name + kind;
      if (part != nullptr) {
        out.push_back(layers_->whole(tensor.name, name, value));
      } else {
        out.push_back(to_write(name, value));
      }
    }
  }
  return out;
}

void TrainedTensors::restore(const std::map<std::string, at::Tensor>& state, const std::vector<std::int64_t>& updates) {
  if (layers_ == nullptr) {
    rule_->restore(state, updates);
    return;
  }
  const auto saved = [&](const std::string& name) -> const at::Tensor& {
    const auto found = state.find(name);
    if (found == state.end()) throw Error(ErrorCode::data, "the checkpoint has no tensor '" + name + "'");
    return found->second;
  };
  if (updates.size() != tensors_.size()) {
    throw Error(ErrorCode::data, "the checkpoint counts the updates of " + std::to_string(updates.size()) +
                                     " tensors; this model has " + std::to_string(tensors_.size()));
  }
  std::map<std::string, std::int64_t> counts;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const TrainedTensor* part = layers_->part_of(tensors_[i].name);
    counts[part == nullptr ? tensors_[i].name : part->name] = updates[i];
  }
  std::map<std::string, at::Tensor> here;
  std::vector<std::int64_t> of_rule;
  for (const TrainedTensor& tensor : rule_->tensors()) of_rule.push_back(counts.at(tensor.name));
  for (const TrainedTensor& tensor : whole_) {
    for (const char* kind : kKinds) {
      const auto found = state.find(tensor.name + kind);
      if (found != state.end()) here[tensor.name + kind] = found->second;
    }
  }
  for (const TrainedTensor& part : layers_->parts()) {
    for (const std::string kind : kKinds) {
      if (kind == ".master" && part.value.scalar_type() == at::kFloat) continue;
      here[part.name + kind] = layers_->part_from(part, [&](const std::string& name) { return saved(name + kind); });
    }
  }
  rule_->restore(here, of_rule);
}

void TrainedTensors::finish() {
  rule_.reset();
  if (layers_ != nullptr) layers_->make_whole();
}

}  // namespace plumb
