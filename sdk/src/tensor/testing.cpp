#include "plumb/tensor/testing.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>

#include "plumb/random.h"

namespace plumb::testing {
namespace {

at::Tensor drawn(const Parameter& parameter, const Random& seed) {
  if (parameter.init_std == 0) return at::full(parameter.shape, parameter.init_fill, at::kDouble);
  at::Tensor out = at::full(parameter.shape, 0.0, at::kDouble);
  Random random = seed.derive(parameter.name);
  auto* values = out.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < out.numel(); ++i) values[i] = random.normal() * parameter.init_std;
  return out;
}

double value_of(const std::function<at::Tensor()>& loss) {
  return loss().item<double>();
}

}  // namespace

at::Tensor PlainAttention::attend(std::int64_t /*layer*/, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                  const AttentionOptions& options) {
  const std::int64_t tokens = q.size(0), repeat = q.size(1) / k.size(1);
  const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(q.size(2))));
  const auto by_head = [repeat](const at::Tensor& x) {
    return (repeat > 1 ? x.repeat_interleave(repeat, 1) : x).transpose(0, 1);
  };
  const at::Tensor place = at::arange(tokens, at::kLong);
  const at::Tensor distance = place.unsqueeze(1) - place.unsqueeze(0);  // [query, key]
  at::Tensor hidden = distance.lt(0);
  if (options.window) hidden = hidden.logical_or(distance.ge(*options.window));
  const at::Tensor scores = at::matmul(q.transpose(0, 1), by_head(k).transpose(1, 2)) * scale;
  return at::matmul(scores.masked_fill(hidden, -INFINITY).softmax(-1), by_head(v)).transpose(0, 1);
}

ModelUnderTest::ModelUnderTest(PluginUnderTest& plugin, const std::string& name, Value config, std::uint64_t seed)
    : config_(std::move(config)) {
  ModelPlan plan{config_, parameters, true};
  model = plugin.make<Model>(name, Value::map(), &plan);
  for (Parameter* parameter : parameters.all()) *parameter->tensor = drawn(*parameter, Random(seed));
}

at::Tensor ModelUnderTest::logits(const std::vector<std::int64_t>& ids) {
  const auto size = static_cast<std::int64_t>(ids.size());
  const TokenBatch batch{at::tensor(ids, at::kLong), at::arange(size, at::kLong), attention_};
  return model->logits(model->hidden(batch));
}

double gradient_error(at::Tensor leaf, const std::function<at::Tensor()>& loss, std::int64_t entries) {
  constexpr double kStep = 1e-6;
  leaf.requires_grad_(true);
  leaf.mutable_grad() = at::Tensor();
  loss().backward();
  const at::Tensor gradient = leaf.grad().contiguous();
  leaf.requires_grad_(false);
  auto* values = leaf.mutable_data_ptr<double>();
  const auto* analytic = gradient.const_data_ptr<double>();
  double worst = 0;
  const std::int64_t stride = std::max<std::int64_t>(1, leaf.numel() / entries);
  for (std::int64_t i = 0; i < leaf.numel(); i += stride) {
    const double before = values[i];
    values[i] = before + kStep;
    const double above = value_of(loss);
    values[i] = before - kStep;
    const double below = value_of(loss);
    values[i] = before;
    const double numeric = (above - below) / (2 * kStep);
    const double error = std::abs(numeric - analytic[i]) / std::max(1.0, std::abs(analytic[i]));
    worst = std::isfinite(error) ? std::max(worst, error) : INFINITY;
  }
  return worst;
}

}  // namespace plumb::testing
