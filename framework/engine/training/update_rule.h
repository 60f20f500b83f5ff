// AdamW as Hugging Face's trainer runs it: decoupled weight decay on matrices, none on biases and norms; gradients
// clipped by their global L2 norm.
//
//   UpdateRule rule(tensors, {.weight_decay = 0.01});
//   double norm = rule.gradient_norm();      // before clipping: what the log shows
//   rule.clip(norm, 1.0);
//   rule.step(schedule.rate(update));        // uses the gradients up
//
// Moments are float32. A bfloat16 parameter has a float32 master copy that takes the updates and is rounded into it. Its
// gradient is widened for the update, a few tensors at a time, and is gone when they have moved.
// State is plain named tensors: "NAME.exp_avg", "NAME.exp_avg_sq", "NAME.master".
// Thread contract: [lane].
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plumb/tensor/torch.h"

namespace plumb {

struct TrainedTensor {
  std::string name;
  at::Tensor value;    // a leaf that requires a gradient
  bool decays = true;  // false for biases and norms
};

class UpdateRule {
 public:
  struct Settings {
    double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0;
    std::int64_t widened = 512LL << 20;  // bytes of widened gradients at once, of at least one tensor
  };
  using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

  UpdateRule(std::vector<TrainedTensor> tensors, const Settings& settings);

  // L2 norm over every gradient, computed in one pass. A tensor without a gradient counts as zero.
  [[nodiscard]] double gradient_norm() const;
  // Scales gradients by min(1, max_norm / (norm + 1e-6)), torch's clip_grad_norm_. max_norm 0: no clipping.
  void clip(double norm, double max_norm);
  // One update at `rate`, after which no tensor has a gradient. One without is left as it is, moments included.
  void step(double rate);
  void clear_gradients();
  // The first tensor whose gradient holds a NaN or an infinity; empty when there is none.
  [[nodiscard]] std::string first_bad_gradient() const;
  // The same of the values themselves, in one pass over them.
  [[nodiscard]] std::string first_bad_value() const;

  [[nodiscard]] const std::vector<TrainedTensor>& tensors() const { return tensors_; }
  // Updates made of each tensor: equal for all unless a tensor went without a gradient.
  [[nodiscard]] const std::vector<std::int64_t>& updates() const { return updates_; }
  // Parameters (under their own names) and moments; views, not copies.
  [[nodiscard]] NamedTensors state() const;
  // Copies values in. Throws Error(data) that names a tensor which is missing or has another shape or type.
  void restore(const std::map<std::string, at::Tensor>& state, const std::vector<std::int64_t>& updates);

 private:
  struct Moments {
    at::Tensor first, second;
    at::Tensor master;  // undefined for a float32 parameter
  };
  [[nodiscard]] std::vector<at::Tensor> gradients() const;
  void step_some(double rate, std::span<const std::size_t> some, bool decays);

  std::vector<TrainedTensor> tensors_;
  std::vector<Moments> moments_;
  std::vector<std::int64_t> updates_;
  Settings settings_;
};

}  // namespace plumb
