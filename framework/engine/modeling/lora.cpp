#include "framework/engine/modeling/lora.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <set>

#include "framework/core/artifacts/adapter_folder.h"
#include "framework/core/artifacts/disk.h"
#include "framework/engine/modeling/model_weights.h"
#include "framework/engine/modeling/reward_head.h"
#include "framework/engine/modeling/safetensors.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

constexpr const char* kConfig = adapter_config_name;
constexpr const char* kTensors = "adapter_model.safetensors";
constexpr std::string_view kPrefix = "base_model.model.";

Error refused(const fs::path& folder, const std::string& what) {
  return {ErrorCode::data, fmt::format("{}: {}", (folder / kConfig).string(), what)};
}

Value read_config(const fs::path& folder) {
  Value config = read_json(folder / kConfig).value();
  if (!config.is_map()) throw refused(folder, "it is no map");
  return config;
}

bool ends_a_name(const std::string& name, const std::string& suffix) {
  return name == suffix || name.ends_with("." + suffix);
}

// Parameters of an adapter in the order of the layers, under PEFT's names.
void list_adapter(LanguageModel& model) {
  model.adapter = std::make_shared<std::deque<Parameter>>();
  for (const std::string& name : model.parameters->linear_names()) {
    LoraAdapter* lora = model.parameters->find_linear(name)->adapter.get();
    if (lora == nullptr || lora->of_base) continue;
    const std::string full = std::string(kPrefix) + name;
    model.adapter->push_back({full + ".lora_A.weight", lora->a.sizes().vec(), 0, 0, true, &lora->a});
    model.adapter->push_back({full + ".lora_B.weight", lora->b.sizes().vec(), 0, 0, true, &lora->b});
  }
}

// The parameter of the reward head that an adapter saves under this name; null for any other name.
const Parameter* head_parameter(const LanguageModel& model, const std::string& saved) {
  if (model.score == nullptr || !saved.starts_with(kPrefix)) return nullptr;
  const std::string name = saved.substr(kPrefix.size());
  return name.starts_with(reward_head_of(model.config).layer + ".") ? model.parameters->find(name) : nullptr;
}

void freeze_base(LanguageModel& model) {
  for (const Parameter* parameter : model.parameters->all()) {
    if (head_parameter(model, std::string(kPrefix) + parameter->name) == nullptr)
      parameter->tensor->set_requires_grad(false);
  }
}

// What plain LoRA has not, and what it must say.
void check_plain(const Value& config, const fs::path& folder) {
  const auto is_set = [&](const char* key) {
    const Value* value = config.find(key);
    if (value == nullptr || value->is_null()) return false;
    if (value->type() == Value::Type::boolean) return value->as_bool();
    return !(value->is_map() && value->as_map().empty()) && !(value->is_list() && value->as_list().empty());
  };
  const Value* type = config.find("peft_type");
  if (type == nullptr || !type->is_string() || type->as_string() != "LORA") {
    throw refused(folder, "peft_type must be \"LORA\"; other adapters are not supported");
  }
  // Whatever else is set may change what the adapter computes, so it is refused rather than passed over: use_dora,
  // alora_invocation_tokens and what PEFT will think of next.
  static constexpr std::array kKnown{"task_type",
                                     "peft_type",
                                     "auto_mapping",
                                     "peft_version",
                                     "base_model_name_or_path",
                                     "revision",
                                     "inference_mode",
                                     "r",
                                     "target_modules",
                                     "exclude_modules",
                                     "lora_alpha",
                                     "lora_dropout",
                                     "bias",
                                     "use_rslora",
                                     "modules_to_save",
                                     "init_lora_weights",
                                     "layers_to_transform",
                                     "layers_pattern",
                                     "rank_pattern",
                                     "alpha_pattern",
                                     "megatron_config",
                                     "megatron_core",
                                     "loftq_config",
                                     "eva_config",
                                     "corda_config",
                                     "qalora_group_size",
                                     "runtime_config"};
  for (const auto& [key, value] : config.as_map()) {
    if (std::find(kKnown.begin(), kKnown.end(), key) == kKnown.end() && is_set(key.c_str()))
      throw refused(folder, fmt::format("\"{}\" is set; only plain LoRA is supported", key));
  }
  // These take a part out of the base's weights when they begin, which the saved adapter alone does not say.
  static constexpr std::array kKeepBase{"gaussian", "eva", "orthogonal"};
  if (const Value* init = config.find("init_lora_weights"); init != nullptr && init->is_string()) {
    if (std::find(kKeepBase.begin(), kKeepBase.end(), init->as_string()) == kKeepBase.end()) {
      throw refused(folder, fmt::format("\"init_lora_weights\" is \"{}\", which changes the base's weights; convert it "
                                        "with PEFT's save_pretrained(…, path_initial_model_for_weight_conversion=…)",
                                        init->as_string()));
    }
  }
  if (const Value* whole = config.find("modules_to_save"); whole != nullptr && whole->is_list()) {
    for (const Value& module : whole->as_list()) {
      if (!module.is_string() || module.as_string() == "score" || module.as_string() == "classifier" ||
          module.as_string() == "out_proj")
        continue;
      throw refused(folder, fmt::format("\"modules_to_save\" holds \"{}\": only a reward head is supported there",
                                        module.as_string()));
    }
  }
  if (const Value* bias = config.find("bias"); bias != nullptr && bias->is_string() && bias->as_string() != "none") {
    throw refused(folder, "\"bias\" is not \"none\"; adapters with biases are not supported");
  }
}

// Ranks and alphas that PEFT gives to some layers: by a layer's whole name, its end, or, with ^ before it, the whole alone.
// Source: get_pattern_key of PEFT.
class LayerPatterns {
 public:
  LayerPatterns(const Value& config, const fs::path& folder)
      : ranks_(read(config, "rank_pattern", folder)), alphas_(read(config, "alpha_pattern", folder)) {
    const Value* stabilised = config.find("use_rslora");
    root_ = stabilised != nullptr && !stabilised->is_null() && stabilised->as_bool();
    alpha_ = config.at("lora_alpha").as_double();
    r_ = config.at("r").as_int();
  }
  [[nodiscard]] std::int64_t rank(const std::string& layer) const {
    return std::llround(found(ranks_, layer).value_or(static_cast<double>(r_)));
  }
  // Of B A, in a layer of that rank: alpha / r, or alpha / √r where ranks are stabilised.
  [[nodiscard]] double scale(const std::string& layer) const {
    const auto r = static_cast<double>(rank(layer));
    return found(alphas_, layer).value_or(alpha_) / (root_ ? std::sqrt(r) : r);
  }

 private:
  using Pattern = std::vector<std::pair<std::string, double>>;

  static Pattern read(const Value& config, const char* key, const fs::path& folder) {
    Pattern out;
    const Value* map = config.find(key);
    if (map == nullptr || !map->is_map()) return out;
    for (const auto& [name, value] : map->as_map()) {
      const bool number = value.type() == Value::Type::integer || value.type() == Value::Type::real;
      const bool plain = name.find_first_of("*+?()[]{}|\\$", 0) == std::string::npos;
      if (!number || value.as_double() <= 0 || value.as_double() > 1e6)
        throw refused(folder, fmt::format("\"{}\" of \"{}\" wants a number above 0", key, name));
      if (!plain)
        throw refused(folder,
                      fmt::format("\"{}\" holds the expression \"{}\"; names of layers are supported", key, name));
      out.emplace_back(name, value.as_double());
    }
    return out;
  }
  static std::optional<double> found(const Pattern& pattern, const std::string& layer) {
    for (const auto& [name, value] : pattern) {
      const bool whole = name.starts_with('^');
      const std::string wanted = whole ? name.substr(1) : name;
      if (layer == wanted || (!whole && layer.ends_with("." + wanted))) return value;
    }
    return std::nullopt;
  }

  Pattern ranks_, alphas_;
  double alpha_ = 1;
  std::int64_t r_ = 1;
  bool root_ = false;
};

LoraSettings read_settings(const Value& config, const fs::path& folder) {
  check_plain(config, folder);
  try {
    LoraSettings out;
    out.r = config.at("r").as_int();
    out.alpha = config.at("lora_alpha").as_double();
    if (const Value* dropout = config.find("lora_dropout")) out.dropout = dropout->as_double();
    if (out.r <= 0) throw refused(folder, "\"r\" must be above 0");
    // Rank-stabilised adapters scale by alpha / √r: the same as alpha √r over r.
    const Value* stabilised = config.find("use_rslora");
    const bool root = stabilised != nullptr && !stabilised->is_null() && stabilised->as_bool();
    if (root) out.alpha *= std::sqrt(static_cast<double>(out.r));
    return out;
  } catch (const Error& error) {
    throw refused(folder, error.what());
  }
}

void give_adapter(Linear& layer, at::Tensor a, at::Tensor b, double scale, double dropout, bool training) {
  auto below = std::move(layer.adapter);
  layer.adapter = std::make_shared<LoraAdapter>();
  layer.adapter->below = std::move(below);
  layer.adapter->a = std::move(a).set_requires_grad(training);
  layer.adapter->b = std::move(b).set_requires_grad(training);
  layer.adapter->scale = scale;
  layer.adapter->dropout = dropout;
  layer.adapter->training = training;
}

// The last parts of the adapted layers' names, as PEFT's target_modules lists them.
std::vector<std::string> adapted_suffixes(const LanguageModel& model) {
  std::set<std::string> out;
  for (const std::string& name : model.parameters->linear_names()) {
    if (model.parameters->find_linear(name)->adapter) out.insert(name.substr(name.rfind('.') + 1));
  }
  return {out.begin(), out.end()};
}

}  // namespace

bool adapter_holds_score(const fs::path& folder) {
  return open_safetensors(folder / kTensors).value().find(std::string(kPrefix) + "score.weight") != nullptr;
}

void load_adapter(LanguageModel& model, const fs::path& folder, const OpenModel& how) {
  const Value config = read_config(folder);
  LoraSettings lora = read_settings(config, folder);
  const LayerPatterns layers(config, folder);
  const SafetensorsFile file = open_safetensors(folder / kTensors).value();
  const auto wrong = [&](const std::string& what) {
    return Error(ErrorCode::data, fmt::format("{}: {}", (folder / kTensors).string(), what));
  };
  const at::Device device = model.parameters->all().front()->tensor->device();
  const auto tensor = [&](const std::string& name, at::IntArrayRef shape) {
    if (file.find(name) == nullptr) throw wrong(fmt::format("it holds no tensor {}", name));
    const at::Tensor value = file.tensor(name);
    if (value.sizes() != shape) {
      throw wrong(fmt::format("tensor {} has shape [{}]; the layer and its rank need [{}]", name,
                              fmt::join(value.sizes(), ", "), fmt::join(shape, ", ")));
    }
    return value.to(device, at::kFloat, false, true);
  };
  for (const TensorEntry& entry : file.entries()) {
    if (const Parameter* head = head_parameter(model, entry.name); head != nullptr) {
      *head->tensor = tensor(entry.name, head->tensor->sizes()).to(head->tensor->scalar_type());
      continue;
    }
    const bool a = entry.name.ends_with(".lora_A.weight"), b = entry.name.ends_with(".lora_B.weight");
    const std::string layer_name =
        entry.name.starts_with(kPrefix) && (a || b)
            ? entry.name.substr(kPrefix.size(),
                                entry.name.size() - kPrefix.size() - std::string_view(".lora_A.weight").size())
            : "";
    Linear* layer = model.parameters->find_linear(layer_name);
    if (layer == nullptr)
      throw wrong(fmt::format("tensor {} belongs to no linear layer of the base model", entry.name));
    if (b) continue;  // read with its A
    const std::string stem = std::string(kPrefix) + layer_name;
    const std::int64_t rank = layers.rank(layer_name);
    give_adapter(*layer, tensor(entry.name, {rank, layer->weight.size(1)}),
                 tensor(stem + ".lora_B.weight", {layer->weight.size(0), rank}), layers.scale(layer_name), lora.dropout,
                 how.training && !how.merge_adapter);
  }
  lora.targets = adapted_suffixes(model);
  if (lora.targets.empty()) throw wrong("it holds no adapter");
  model.lora = lora;
  list_adapter(model);
  if (how.training && !how.merge_adapter) freeze_base(model);
}

void attach_lora(LanguageModel& model, const LoraSettings& settings, Random random) {
  if (model.lora)
    throw Error(ErrorCode::run_failed, "the model has an adapter already; merge it before attaching another");
  if (settings.r <= 0) throw Error(ErrorCode::recipe, "lora: r must be above 0");
  LoraSettings lora = settings;
  if (lora.targets.empty()) lora.targets = model.model->default_lora_targets();
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
    give_adapter(layer, draw_uniform({lora.r, in}, bound, random.derive(name)).to(layer.weight.device()),
                 at::zeros({out, lora.r}, at::TensorOptions(at::kFloat).device(layer.weight.device())),
                 lora.alpha / static_cast<double>(lora.r), lora.dropout, true);
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
      lora->training = false;
      lora->a.set_requires_grad(false);
      lora->b.set_requires_grad(false);
    }
  }
  model.lora.reset();
  model.adapter = nullptr;
}

at::Tensor adapter_update(const Linear& layer) {
  at::Tensor sum;
  for (const LoraAdapter* lora = layer.adapter.get(); lora != nullptr; lora = lora->below.get()) {
    const at::Tensor update = at::mm(lora->b.detach(), lora->a.detach()).mul_(lora->scale);
    sum = sum.defined() ? sum.add_(update) : update;
  }
  return sum;
}

MergeLoss merge_adapter(LanguageModel& model) {
  MergeSums sums;
  for (const std::string& name : model.parameters->linear_names()) {
    Linear& layer = *model.parameters->find_linear(name);
    if (!layer.adapter) continue;
    const at::Tensor& weight = layer.weight;
    if (!weight.is_floating_point())
      throw Error(ErrorCode::run_failed, "an adapter cannot be folded into 8-bit weights");
    const at::Tensor update = adapter_update(layer), wide = weight.detach().to(at::kFloat);
    const at::Tensor merged = (wide + update).to(weight.scalar_type());
    sums.add(wide, merged.to(at::kFloat), update);
    layer.weight = merged.set_requires_grad(weight.requires_grad());
    layer.adapter = nullptr;
  }
  model.lora.reset();
  model.adapter = nullptr;
  return sums.loss();
}

namespace {

std::size_t rank_of(const Linear& layer) {
  std::int64_t rank = 0;
  for (const LoraAdapter* lora = layer.adapter.get(); lora != nullptr; lora = lora->below.get())
    rank += lora->a.size(0);
  return static_cast<std::size_t>(rank);
}

bool has_frozen_adapter(const LanguageModel& model) {
  for (const std::string& name : model.parameters->linear_names()) {
    for (const LoraAdapter* lora = model.parameters->find_linear(name)->adapter.get(); lora != nullptr;
         lora = lora->below.get()) {
      if (lora->of_base) return true;
    }
  }
  return false;
}

// Whether some layer has a rank or a scale of its own.
bool differs_by_layer(const LanguageModel& model, const LoraSettings& lora) {
  for (const std::string& name : model.parameters->linear_names()) {
    const LoraAdapter* adapter = model.parameters->find_linear(name)->adapter.get();
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
  std::set<std::string> suffixes;
  for (const std::string& name : names) {
    const Linear& layer = *model.parameters->find_linear(name);
    if (!layer.adapter) continue;
    suffixes.insert(name.substr(name.rfind('.') + 1));
    at::Tensor a = at::zeros({static_cast<std::int64_t>(rank), layer.weight.size(1)}, layer.adapter->a.options());
    at::Tensor b = at::zeros({layer.weight.size(0), static_cast<std::int64_t>(rank)}, layer.adapter->b.options());
    std::int64_t at = 0;
    for (const LoraAdapter* part = layer.adapter.get(); part != nullptr; part = part->below.get()) {
      const std::int64_t size = part->a.size(0);
      a.narrow(0, at, size).copy_(part->a.detach());
      b.narrow(1, at, size).copy_(part->b.detach() * part->scale);
      at += size;
    }
    out.emplace_back(std::string(kPrefix) + name + ".lora_A.weight", a);
    out.emplace_back(std::string(kPrefix) + name + ".lora_B.weight", b);
  }
  lora.r = static_cast<std::int64_t>(rank);
  lora.alpha = static_cast<double>(rank);
  lora.targets.assign(suffixes.begin(), suffixes.end());
  return out;
}

}  // namespace

void save_adapter(const LanguageModel& model, const fs::path& folder, const std::string& base) {
  if (!model.lora) throw Error(ErrorCode::run_failed, "the model has no adapter to save");
  LoraSettings lora = *model.lora;
  NamedTensors tensors;
  if (has_frozen_adapter(model) || differs_by_layer(model, lora)) {
    tensors = joined_adapters(model, lora);
  } else {
    for (const Parameter& parameter : *model.adapter) tensors.emplace_back(parameter.name, *parameter.tensor);
  }
  for (const Parameter* parameter : model.parameters->all()) {
    const std::string name = std::string(kPrefix) + parameter->name;
    if (head_parameter(model, name) != nullptr) tensors.emplace_back(name, *parameter->tensor);
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
  write_safetensors(folder / kTensors, tensors).value();
  write_file(folder / kConfig, to_json(config, false, 2) + "\n").value();
}

}  // namespace plumb
