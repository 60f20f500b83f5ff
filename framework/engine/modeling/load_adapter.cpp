#include "framework/engine/modeling/load_adapter.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/mm.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "framework/engine/modeling/lora.h"
#include "framework/engine/modeling/merge_adapter.h"
#include "framework/engine/modeling/reward_head.h"

namespace plumb {
namespace {

using Start = AdapterConfig::Start;

class Loader {
 public:
  Loader(LanguageModel& model, const SavedAdapter& adapter, bool training)
      : model_(model), adapter_(adapter), config_(adapter.config), training_(training), device_(model.device()) {}

  void adapt_linear(const std::string& module, const SavedAdapter::Layer& layer) {
    Linear* linear = model_.parameters->find_linear(module);
    if (linear == nullptr) {
      const std::string& any = layer.a.empty() ? layer.b.empty() ? layer.magnitude : layer.b : layer.a;
      throw adapter_.wrong(fmt::format("tensor {} belongs to no linear layer of the base model", any));
    }
    const std::int64_t rank = config_.rank_of(layer.module), in = linear->weight.size(1), out = linear->weight.size(0);
    const std::string stem = std::string(adapter_prefix) + layer.module;
    LoraAdapter lora{.a = part(stem, layer.a, ".lora_A.weight", rank, {rank, in}),
                     .b = part(stem, layer.b, ".lora_B.weight", rank, {out, rank}),
                     .scale = config_.scale_of(layer.module, rank),
                     .dropout = config_.dropout};
    if (config_.start != Start::plain) take_out_start(*linear, module, rank, lora.scale);
    if (config_.magnitudes) {
      const at::Tensor m = part(stem, layer.magnitude, ".lora_magnitude_vector", rank, {out});
      lora.gain = m / norms(at::addmm(adapted_weight(*linear), lora.b, lora.a, 1, lora.scale), 1);
    } else if (!layer.magnitude.empty()) {
      throw adapter_.wrong(fmt::format("tensor {} is DoRA's, but use_dora is not set", layer.magnitude));
    }
    give_adapter(*linear, std::move(lora), training_);
  }

  // PEFT looks rows of A up beside the table's and multiplies them by B: each row once, so folding is exact.
  void fold_table(const std::string& module, const SavedAdapter::Layer& layer) {
    const Parameter* table = model_.parameters->find(module + ".weight");
    if (table == nullptr || model_.parameters->find_linear(module) != nullptr || table->shape.size() != 2) {
      throw adapter_.wrong(fmt::format("it adapts {}, which is no embedding of the base model", module));
    }
    if (config_.start != Start::plain) throw config_.refused("\"init_lora_weights\" with an adapter of an embedding");
    const std::int64_t rank = config_.rank_of(layer.module), rows = table->shape[0], width = table->shape[1];
    const std::string stem = std::string(adapter_prefix) + layer.module;
    const at::Tensor a = part(stem, layer.a, ".lora_embedding_A", rank, {rank, rows});
    const at::Tensor b = part(stem, layer.b, ".lora_embedding_B", rank, {width, rank});
    at::Tensor sum = at::addmm(table->tensor->to(at::kFloat), a.t(), b.t(), 1, config_.scale_of(layer.module, rank));
    if (config_.magnitudes) {
      const at::Tensor m = part(stem, layer.magnitude, ".lora_magnitude_vector", rank, {width});
      sum = sum * (m / norms(sum, 0)).unsqueeze(0);
    }
    *table->tensor = sum.to(table->tensor->scalar_type()).set_requires_grad(table->tensor->requires_grad());
  }

 private:
  [[nodiscard]] at::Tensor part(const std::string& stem, const std::string& entry, const char* suffix,
                                std::int64_t rank, std::vector<std::int64_t> shape) const {
    if (entry.empty()) throw adapter_.wrong(fmt::format("it holds no tensor {}{}", stem, suffix));
    const at::Tensor value = adapter_.tensors.tensor(entry);
    if (value.sizes() != at::IntArrayRef(shape)) {
      throw adapter_.wrong(fmt::format("tensor {} has shape [{}]; the layer and its rank of {} need [{}]", entry,
                                       fmt::join(value.sizes(), ", "), rank, fmt::join(shape, ", ")));
    }
    if (!value.is_floating_point())
      throw adapter_.wrong(fmt::format("tensor {} holds no floating-point numbers", entry));
    return value.to(device_, at::kFloat, false, true);
  }

  [[nodiscard]] static at::Tensor norms(const at::Tensor& x, std::int64_t over) {
    return at::linalg_vector_norm(x, 2, at::IntArrayRef(over));
  }

  // PEFT starts the adapter anew from the base when it loads it, which takes this share out of W, and then reads A and
  // B: pissa_init and olora_init of its lora/layer.py.
  void take_out_start(Linear& linear, const std::string& module, std::int64_t rank, double scale) const {
    if (linear.weight_scale.defined()) {
      throw config_.refused(fmt::format("\"init_lora_weights\" changes {}, which is held in 8 bits", module));
    }
    if (linear.adapter) {
      throw config_.refused(
          fmt::format("\"init_lora_weights\" changes {}, which an adapter below adapts; merge that "
                      "one first (plumb merge)",
                      module));
    }
    const at::Tensor weight = linear.weight.detach().to(at::kFloat);
    if (rank > std::min(weight.size(0), weight.size(1))) {
      throw config_.refused(fmt::format("\"init_lora_weights\": r = {} is more than {} has", rank, module));
    }
    if (weight.is_meta()) return;  // of a model that was opened without values
    at::Tensor rest;
    if (config_.start == Start::pissa) {  // A and B share √(S / scale), so the scale cancels
      const auto [u, s, v] = at::linalg_svd(weight, false);
      rest = weight - at::mm(u.narrow(1, 0, rank) * s.narrow(0, 0, rank), v.narrow(0, 0, rank));
    } else {
      const auto [q, r] = at::linalg_qr(weight);
      rest = weight - at::mm(q.narrow(1, 0, rank), r.narrow(0, 0, rank)) * scale;
    }
    linear.weight = rest.to(linear.weight.scalar_type()).set_requires_grad(linear.weight.requires_grad());
  }

  LanguageModel& model_;
  const SavedAdapter& adapter_;
  const AdapterConfig& config_;
  bool training_;
  at::Device device_;
};

}  // namespace

void load_adapter(LanguageModel& model, const SavedAdapter& adapter, const OpenModel& how) {
  const at::NoGradGuard no_gradients;
  const AdapterConfig& config = adapter.config;
  const bool training = how.training && !how.merge_adapter;
  // DoRA's lengths are of A and B as they were saved, so these stay as they are.
  Loader loader(model, adapter, training && !config.magnitudes);
  for (const auto& [module, layer] : adapter.tables) loader.fold_table(module, layer);
  for (const auto& [module, layer] : adapter.linears) loader.adapt_linear(module, layer);
  // Rank-stabilised adapters scale by alpha / √r: the same as alpha √r over r.
  model.lora =
      LoraSettings{config.r, config.root ? config.alpha * std::sqrt(static_cast<double>(config.r)) : config.alpha,
                   config.dropout, adapted_suffixes(model)};
  model.adds_up = !config.magnitudes && !adapter.changes_weights(reward_head_of(model.config).layer);
  list_adapter(model);
  if (training) freeze_base(model);
}

}  // namespace plumb
