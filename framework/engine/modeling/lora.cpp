#include "framework/engine/modeling/lora.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "framework/core/artifacts/adapter_folder.h"
#include "framework/core/artifacts/disk.h"
#include "framework/engine/modeling/model_weights.h"
#include "framework/engine/modeling/reward_head.h"
#include "framework/engine/modeling/safetensors.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

bool ends_a_name(const std::string& name, const std::string& suffix) {
  return name == suffix || name.ends_with("." + suffix);
}

}  // namespace

void list_adapter(LanguageModel& model) {
  model.adapter = std::make_shared<std::deque<Parameter>>();
  for (const std::string& name : model.parameters->linear_names()) {
    LoraAdapter* lora = model.parameters->find_linear(name)->adapter.get();
    if (lora == nullptr || lora->of_base) continue;
    const std::string full = std::string(adapter_prefix) + name;
    model.adapter->push_back({full + ".lora_A.weight", lora->a.sizes().vec(), 0, 0, true, &lora->a});
    model.adapter->push_back({full + ".lora_B.weight", lora->b.sizes().vec(), 0, 0, true, &lora->b});
  }
}

std::vector<std::string> adapted_suffixes(const LanguageModel& model) {
  std::set<std::string> out;
  for (const std::string& name : model.parameters->linear_names()) {
    const LoraAdapter* adapter = model.parameters->find_linear(name)->adapter.get();
    if (adapter != nullptr && !adapter->in_folder) out.insert(name.substr(name.rfind('.') + 1));
  }
  return {out.begin(), out.end()};
}

void freeze_base(LanguageModel& model) {
  for (const Parameter* parameter : model.parameters->all()) {
    if (!is_head(parameter->name, model)) parameter->tensor->set_requires_grad(false);
  }
}

void give_adapter(Linear& layer, LoraAdapter adapter, bool training) {
  adapter.a.set_requires_grad(training);
  adapter.b.set_requires_grad(training);
  adapter.training = training;
  adapter.below = std::move(layer.adapter);
  layer.adapter = std::make_shared<LoraAdapter>(std::move(adapter));
}

void attach_lora(LanguageModel& model, const LoraSettings& settings, Random random) {
  if (model.lora)
    throw Error(ErrorCode::run_failed, "the model has an adapter already; merge it before attaching another");
  if (settings.r <= 0) throw Error(ErrorCode::recipe, "lora: r must be above 0");
  LoraSettings lora = settings;
  if (lora.targets.empty()) lora.targets = model.model.call(&Model::default_lora_targets);
  const auto names = model.parameters->linear_names();
  for (const std::string& target : lora.targets) {
    if (std::none_of(names.begin(), names.end(), [&](const std::string& name) { return ends_a_name(name, target); })) {
      std::set<std::string> known;
      for (const std::string& name : names) known.insert(name.substr(name.rfind('.') + 1));
      throw Error(ErrorCode::recipe, fmt::format("lora.target_modules: no linear layer is named \"{}\"; there are {}",
                                                 target, fmt::join(known, ", ")));
    }
  }
  for (const std::string& name : names) {
    if (std::none_of(lora.targets.begin(), lora.targets.end(),
                     [&](const std::string& t) { return ends_a_name(name, t); })) {
      continue;
    }
    Linear& layer = *model.parameters->find_linear(name);
    if (model.parameters->find(name + ".weight") == nullptr) {
      throw Error(ErrorCode::recipe,
                  fmt::format("lora.target_modules: {} shares the embedding's weight and cannot be adapted", name));
    }
    const std::int64_t in = layer.weight.size(1), out = layer.weight.size(0);
    const double bound = 1 / std::sqrt(static_cast<double>(in));  // kaiming_uniform with a = √5
    give_adapter(layer,
                 {.a = draw_uniform({lora.r, in}, bound, random.derive(name)).to(layer.weight.device()),
                  .b = at::zeros({out, lora.r}, at::TensorOptions(at::kFloat).device(layer.weight.device())),
                  .scale = lora.alpha / static_cast<double>(lora.r),
                  .dropout = lora.dropout},
                 true);
  }
  model.lora = lora;
  list_adapter(model);
  freeze_base(model);
}

void freeze_adapter(LanguageModel& model) {
  for (const std::string& name : model.parameters->linear_names()) {
    for (LoraAdapter* lora = model.parameters->find_linear(name)->adapter.get(); lora != nullptr;
         lora = lora->below.get()) {
      lora->of_base = true;
      lora->in_folder = lora->in_folder || !model.adds_up;
      lora->training = false;
      lora->a.set_requires_grad(false);
      lora->b.set_requires_grad(false);
    }
  }
  if (!model.adds_up) model.base_folder = model.folder;
  model.adds_up = true;
  model.lora.reset();
  model.adapter = nullptr;
}

namespace {

// The next adapter from this one downwards that is saved here, not in the base's folder.
const LoraAdapter* saved_here(const LoraAdapter* lora) {
  return lora == nullptr || lora->in_folder ? nullptr : lora;
}

std::size_t rank_of(const Linear& layer) {
  std::int64_t rank = 0;
  for (const auto* lora = saved_here(layer.adapter.get()); lora != nullptr; lora = saved_here(lora->below.get()))
    rank += lora->a.size(0);
  return static_cast<std::size_t>(rank);
}

bool has_frozen_adapter(const LanguageModel& model) {
  for (const std::string& name : model.parameters->linear_names()) {
    const auto* lora = saved_here(model.parameters->find_linear(name)->adapter.get());
    for (; lora != nullptr; lora = saved_here(lora->below.get())) {
      if (lora->of_base) return true;
    }
  }
  return false;
}

// Whether some layer has a rank or a scale of its own.
bool differs_by_layer(const LanguageModel& model, const LoraSettings& lora) {
  for (const std::string& name : model.parameters->linear_names()) {
    const LoraAdapter* adapter = saved_here(model.parameters->find_linear(name)->adapter.get());
    if (adapter == nullptr) continue;
    const double scale = lora.alpha / static_cast<double>(lora.r);
    if (adapter->a.size(0) != lora.r || std::abs(adapter->scale - scale) > 1e-12 * std::abs(scale)) return true;
  }
  return false;
}

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

// All adapters of each layer as one of the same rank everywhere, scaled by 1: rows and columns of zeros fill it up.
// The targets and the rank that result are written to `lora`.
NamedTensors joined_adapters(const LanguageModel& model, LoraSettings& lora) {
  const auto names = model.parameters->linear_names();
  std::size_t rank = 0;
  for (const std::string& name : names) rank = std::max(rank, rank_of(*model.parameters->find_linear(name)));
  NamedTensors out;
  for (const std::string& name : names) {
    const Linear& layer = *model.parameters->find_linear(name);
    if (saved_here(layer.adapter.get()) == nullptr) continue;
    at::Tensor a = at::zeros({static_cast<std::int64_t>(rank), layer.weight.size(1)}, layer.adapter->a.options());
    at::Tensor b = at::zeros({layer.weight.size(0), static_cast<std::int64_t>(rank)}, layer.adapter->b.options());
    std::int64_t at = 0;
    for (const auto* part = saved_here(layer.adapter.get()); part != nullptr; part = saved_here(part->below.get())) {
      const std::int64_t size = part->a.size(0);
      a.narrow(0, at, size).copy_(part->a.detach());
      b.narrow(1, at, size).copy_(part->b.detach() * part->scale);
      at += size;
    }
    out.emplace_back(std::string(adapter_prefix) + name + ".lora_A.weight", a);
    out.emplace_back(std::string(adapter_prefix) + name + ".lora_B.weight", b);
  }
  lora.r = static_cast<std::int64_t>(rank);
  lora.alpha = static_cast<double>(rank);
  lora.targets = adapted_suffixes(model);
  return out;
}

}  // namespace

void save_adapter(const LanguageModel& model, const fs::path& folder, const std::string& base) {
  if (!model.lora) throw Error(ErrorCode::run_failed, "the model has no adapter to save");
  if (!model.adds_up) {
    throw Error(ErrorCode::run_failed, model.folder.string() +
                                           ": only A and B of an adapter can be saved, and this one "
                                           "is more; merge it (plumb merge)");
  }
  LoraSettings lora = *model.lora;
  NamedTensors tensors;
  if (has_frozen_adapter(model) || differs_by_layer(model, lora)) {
    tensors = joined_adapters(model, lora);
  } else {
    for (const Parameter& parameter : *model.adapter) tensors.emplace_back(parameter.name, *parameter.tensor);
  }
  for (const Parameter* parameter : model.parameters->all()) {
    if (is_head(parameter->name, model)) {
      tensors.emplace_back(std::string(adapter_prefix) + parameter->name, *parameter->tensor);
    }
  }
  Value::List targets;
  for (const std::string& target : lora.targets) targets.emplace_back(target);
  const Value kept = model.score != nullptr ? Value::list({reward_head_of(model.config).layer}) : Value();
  const Value config = Value::map({{"alpha_pattern", Value::map()},
                                   {"base_model_name_or_path", base},
                                   {"bias", "none"},
                                   {"fan_in_fan_out", false},
                                   {"inference_mode", true},
                                   {"init_lora_weights", true},
                                   {"layers_pattern", Value()},
                                   {"layers_to_transform", Value()},
                                   {"lora_alpha", lora.alpha},
                                   {"lora_dropout", lora.dropout},
                                   {"modules_to_save", kept},
                                   {"peft_type", "LORA"},
                                   {"r", lora.r},
                                   {"rank_pattern", Value::map()},
                                   {"target_modules", Value(std::move(targets))},
                                   {"task_type", model.score != nullptr ? "SEQ_CLS" : "CAUSAL_LM"},
                                   {"use_dora", false},
                                   {"use_rslora", false}});
  fs::create_directories(folder);
  write_safetensors(folder / adapter_tensors_name, tensors).value();
  write_file(folder / adapter_config_name, to_json(config, false, 2) + "\n").value();
}

}  // namespace plumb
