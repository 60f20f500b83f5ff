#include "framework/engine/modeling/adapter_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "framework/core/artifacts/adapter_folder.h"
#include "framework/core/artifacts/disk.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

Error refused(const fs::path& folder, const std::string& what) {
  return {ErrorCode::data, fmt::format("{}: {}", (folder / adapter_config_name).string(), what)};
}

Value read_config(const fs::path& folder) {
  Value config = read_json(folder / adapter_config_name).value();
  if (!config.is_map()) throw refused(folder, "it is no map");
  return config;
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

}  // namespace

LayerPatterns::LayerPatterns(const Value& config, const fs::path& folder)
    : ranks_(read(config, "rank_pattern", folder)), alphas_(read(config, "alpha_pattern", folder)) {
  const Value* stabilised = config.find("use_rslora");
  root_ = stabilised != nullptr && !stabilised->is_null() && stabilised->as_bool();
  alpha_ = config.at("lora_alpha").as_double();
  r_ = config.at("r").as_int();
}

std::int64_t LayerPatterns::rank(const std::string& layer) const {
  return std::llround(found(ranks_, layer).value_or(static_cast<double>(r_)));
}

double LayerPatterns::scale(const std::string& layer) const {
  const auto r = static_cast<double>(rank(layer));
  return found(alphas_, layer).value_or(alpha_) / (root_ ? std::sqrt(r) : r);
}

LayerPatterns::Pattern LayerPatterns::read(const Value& config, const char* key, const fs::path& folder) {
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

std::optional<double> LayerPatterns::found(const Pattern& pattern, const std::string& layer) {
  for (const auto& [name, value] : pattern) {
    const bool whole = name.starts_with('^');
    const std::string wanted = whole ? name.substr(1) : name;
    if (layer == wanted || (!whole && layer.ends_with("." + wanted))) return value;
  }
  return std::nullopt;
}

AdapterConfig read_adapter_config(const fs::path& folder) {
  const Value config = read_config(folder);
  return {read_settings(config, folder), LayerPatterns(config, folder)};
}

}  // namespace plumb
