#include "framework/core/artifacts/adapter_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/regex.hpp>
#include <cctype>
#include <cmath>
#include <string_view>

#include "framework/core/artifacts/adapter_folder.h"
#include "framework/core/artifacts/disk.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

// Read below.
constexpr std::array<std::string_view, 17> kRead{"peft_type",
                                                 "r",
                                                 "lora_alpha",
                                                 "lora_dropout",
                                                 "use_rslora",
                                                 "use_dora",
                                                 "bias",
                                                 "base_model_name_or_path",
                                                 "rank_pattern",
                                                 "alpha_pattern",
                                                 "target_modules",
                                                 "exclude_modules",
                                                 "modules_to_save",
                                                 "init_lora_weights",
                                                 "layers_to_transform",
                                                 "layers_pattern",
                                                 "ensure_weight_tying"};
// Of no effect on the forward pass, whatever they hold: PEFT's notes, the settings of an initialisation that leaves the
// base as it is, and of features that have a switch of their own. fan_in_fan_out is reset by PEFT for linear layers.
constexpr std::array<std::string_view, 14> kNeutral{
    "auto_mapping",   "peft_version",  "revision",      "task_type",      "inference_mode",
    "fan_in_fan_out", "loftq_config",  "megatron_core", "eva_config",     "qalora_group_size",
    "runtime_config", "merge_weights", "corda_config",  "megatron_config"};

template <std::size_t N>
bool holds(const std::array<std::string_view, N>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_unset(const Value& value) {
  if (value.is_null()) return true;
  if (value.type() == Value::Type::boolean) return !value.as_bool();
  if (value.is_string()) return value.as_string().empty();
  return (value.is_map() && value.as_map().empty()) || (value.is_list() && value.as_list().empty());
}

Value value_of(const Value& config, const char* key) {
  const Value* value = config.find(key);
  return value == nullptr || is_unset(*value) ? Value() : *value;
}

bool flag_of(const Value& config, const char* key, const AdapterConfig& out) {
  const Value value = value_of(config, key);
  if (value.is_null()) return false;
  if (value.type() != Value::Type::boolean) throw out.refused(fmt::format("\"{}\" must be true or false", key));
  return true;
}

bool is_number(const Value& value) {
  return value.type() == Value::Type::integer || value.type() == Value::Type::real;
}

double number_of(const Value& config, const char* key, double fallback, const AdapterConfig& out) {
  const Value* value = config.find(key);
  if (value == nullptr || value->is_null()) return fallback;
  if (!is_number(*value) || !std::isfinite(value->as_double())) {
    throw out.refused(fmt::format("\"{}\" must be a number", key));
  }
  return value->as_double();
}

Value patterns_of(const Value& config, const char* key, const AdapterConfig& out) {
  const Value value = value_of(config, key);
  if (value.is_null()) return Value::map();
  if (!value.is_map()) throw out.refused(fmt::format("\"{}\" must be a map of module names to numbers", key));
  for (const Value::Entry& entry : value.as_map()) {
    if (!is_number(entry.value)) {
      throw out.refused(
          fmt::format("\"{}\" holds {} for \"{}\"; a number is wanted", key, to_json(entry.value), entry.key));
    }
  }
  return value;
}

AdapterConfig::Start start_of(const Value& config, const AdapterConfig& out) {
  const Value* value = config.find("init_lora_weights");
  if (value == nullptr || value->is_null() || value->type() == Value::Type::boolean) return AdapterConfig::Start::plain;
  std::string name = value->is_string() ? value->as_string() : to_json(*value);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  if (name == "gaussian" || name == "eva" || name == "orthogonal") return AdapterConfig::Start::plain;
  if (name == "pissa") return AdapterConfig::Start::pissa;
  if (name == "olora") return AdapterConfig::Start::olora;
  throw out.refused(
      fmt::format("\"init_lora_weights\" is {}, which changes the base's weights in a way that cannot be "
                  "repeated here; convert the adapter with PEFT (save_pretrained with "
                  "path_initial_model_for_weight_conversion), or merge it there",
                  to_json(*value)));
}

void check_keys(const Value& config, const AdapterConfig& out) {
  const Value* type = config.find("peft_type");
  if (type == nullptr || !type->is_string() || type->as_string() != "LORA") {
    throw out.refused("peft_type must be \"LORA\"; other adapters are not supported");
  }
  for (const Value::Entry& entry : config.as_map()) {
    if (holds(kRead, entry.key) || holds(kNeutral, entry.key) || is_unset(entry.value)) continue;
    throw out.refused(
        fmt::format("\"{}\" is set, which is not computed here; merge the adapter with PEFT first", entry.key));
  }
  const Value* bias = config.find("bias");
  if (bias == nullptr || bias->is_null()) return;
  const std::string which = bias->is_string() ? bias->as_string() : to_json(*bias);
  if (which != "none" && which != "all" && which != "lora_only") {
    throw out.refused("\"bias\" must be none, all or lora_only");
  }
}

std::vector<std::string> names_of(const Value& value, const char* key, const AdapterConfig& out) {
  std::vector<std::string> names;
  if (value.is_null()) return names;
  if (value.is_string()) return {value.as_string()};
  const bool texts = value.is_list() && std::all_of(value.as_list().begin(), value.as_list().end(),
                                                    [](const Value& v) { return v.is_string(); });
  if (!texts) throw out.refused(fmt::format("\"{}\" must be a list of names", key));
  for (const Value& name : value.as_list()) names.push_back(name.as_string());
  return names;
}

boost::regex compiled(const AdapterConfig& config, const std::string& expression) {
  try {
    return boost::regex(expression);
  } catch (const std::runtime_error& error) {
    throw config.refused(fmt::format("the expression \"{}\" cannot be matched: {}", expression, error.what()));
  }
}

// Python's re on a module's name. Boost's machine gives up, instead of running on, where an expression explodes.
bool matches(const AdapterConfig& config, const std::string& name, const std::string& expression,
             boost::smatch* parts = nullptr) {
  const boost::regex wanted = compiled(config, expression);
  try {
    return parts != nullptr ? boost::regex_search(name, *parts, wanted, boost::match_continuous)
                            : boost::regex_match(name, wanted);
  } catch (const std::runtime_error& error) {
    throw config.refused(fmt::format("the expression \"{}\" cannot be matched: {}", expression, error.what()));
  }
}

std::string of_a_pattern(const std::string& key) {
  return "(.*\\.)?(" + key + ")";
}

const Value* first_match(const AdapterConfig& config, const Value& patterns, const std::string& module) {
  for (const Value::Entry& entry : patterns.as_map()) {
    if (matches(config, module, of_a_pattern(entry.key))) return &entry.value;
  }
  return nullptr;
}

bool ends_a_name(const std::string& name, const std::string& suffix) {
  return name == suffix || name.ends_with("." + suffix);
}

bool names_module(const AdapterConfig& config, const Value& wanted, const char* key, const std::string& module) {
  if (wanted.is_string()) return matches(config, module, wanted.as_string());
  const auto names = names_of(wanted, key, config);
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return ends_a_name(module, name); });
}

// layers_to_transform, an index or a list of them, of the block that a module lies in.
bool in_chosen_layer(const AdapterConfig& config, const std::string& module) {
  if (config.layers.is_null()) return true;
  auto patterns = names_of(config.layers_pattern, "layers_pattern", config);
  if (patterns.empty()) patterns.emplace_back("[^.]*");
  for (const std::string& pattern : patterns) {
    boost::smatch parts;
    if (!matches(config, module, ".*\\." + pattern + "\\.(\\d{1,9})\\.", &parts)) continue;
    const std::int64_t index = std::stoll(parts[parts.size() - 1].str());
    const auto is = [&](const Value& v) { return v.type() == Value::Type::integer && v.as_int() == index; };
    if (!config.layers.is_list()) return is(config.layers);
    return std::any_of(config.layers.as_list().begin(), config.layers.as_list().end(), is);
  }
  return false;
}

// PEFT's "all-linear" leaves the output layer out: what lies in no numbered block.
bool in_a_block(const std::string& module) {
  static const boost::regex numbered("(.*\\.)?\\d+\\..*");
  return boost::regex_match(module, numbered);
}

// So that an expression that is none is seen before any name is matched.
void check_expressions(const AdapterConfig& config) {
  for (const Value* patterns : {&config.ranks, &config.alphas}) {
    for (const Value::Entry& entry : patterns->as_map()) compiled(config, of_a_pattern(entry.key));
  }
  for (const Value* wanted : {&config.targets, &config.excluded}) {
    if (wanted->is_string()) compiled(config, wanted->as_string());
  }
  for (const std::string& pattern : names_of(config.layers_pattern, "layers_pattern", config))
    compiled(config, pattern);
}

AdapterConfig read_config(const fs::path& folder) {
  AdapterConfig out;
  out.file = folder / adapter_config_name;
  const Value config = read_json(out.file).value();
  if (!config.is_map()) throw out.refused("it is no map");
  check_keys(config, out);
  const double rank = number_of(config, "r", 8, out);
  if (!(rank > 0) || rank > 1e9 || rank != std::floor(rank)) throw out.refused("\"r\" must be a whole number above 0");
  out.r = static_cast<std::int64_t>(rank);
  out.alpha = number_of(config, "lora_alpha", 8, out);
  out.dropout = number_of(config, "lora_dropout", 0, out);
  out.root = flag_of(config, "use_rslora", out);
  out.magnitudes = flag_of(config, "use_dora", out);
  out.ties = flag_of(config, "ensure_weight_tying", out);
  out.start = start_of(config, out);
  out.saved = names_of(value_of(config, "modules_to_save"), "modules_to_save", out);
  out.ranks = patterns_of(config, "rank_pattern", out);
  out.alphas = patterns_of(config, "alpha_pattern", out);
  out.targets = value_of(config, "target_modules");
  out.excluded = value_of(config, "exclude_modules");
  out.layers = value_of(config, "layers_to_transform");
  out.layers_pattern = value_of(config, "layers_pattern");
  check_expressions(out);
  return out;
}

}  // namespace

Error AdapterConfig::refused(const std::string& what) const {
  return {ErrorCode::data, fmt::format("{}: {}", file.string(), what)};
}

std::int64_t AdapterConfig::rank_of(const std::string& module) const {
  const Value* own = first_match(*this, ranks, module);
  return own == nullptr ? r : static_cast<std::int64_t>(own->as_double());
}

double AdapterConfig::scale_of(const std::string& module, std::int64_t rank) const {
  const Value* own = first_match(*this, alphas, module);
  const auto size = static_cast<double>(rank);
  return (own == nullptr ? alpha : own->as_double()) / (root ? std::sqrt(size) : size);
}

bool AdapterConfig::chooses(const std::string& module) const {
  if (!excluded.is_null() && names_module(*this, excluded, "exclude_modules", module)) return false;
  if (targets.is_null()) return true;
  if (targets.is_string()) {
    return targets.as_string() == "all-linear" ? in_a_block(module) : matches(*this, module, targets.as_string());
  }
  const auto names = names_of(targets, "target_modules", *this);
  if (std::find(names.begin(), names.end(), module) != names.end()) return true;
  return names_module(*this, targets, "target_modules", module) && in_chosen_layer(*this, module);
}

bool AdapterConfig::saves(const std::string& module) const {
  return std::any_of(saved.begin(), saved.end(), [&](const std::string& name) { return ends_a_name(module, name); });
}

Result<AdapterConfig> read_adapter_config(const fs::path& folder) {
  try {
    return read_config(folder);
  } catch (const Error& error) {
    return error;
  }
}

}  // namespace plumb
