#include "framework/engine/modeling/language_model.h"

#include <fmt/ranges.h>

#include "framework/core/artifacts/adapter_folder.h"
#include "framework/core/artifacts/disk.h"
#include "framework/core/components/load_tokenizer.h"
#include "framework/core/components/make.h"
#include "framework/engine/modeling/end_tokens.h"
#include "framework/engine/modeling/load_adapter.h"
#include "framework/engine/modeling/lora.h"
#include "framework/engine/modeling/merge_adapter.h"
#include "framework/engine/modeling/model_weights.h"
#include "framework/engine/modeling/quantised.h"
#include "framework/engine/modeling/reward_head.h"
#include "framework/engine/modeling/safetensors.h"
#include "framework/engine/modeling/tokenizer_choice.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

constexpr const char* kConfig = "config.json";
constexpr const char* kOurs = "plumb.json";
constexpr std::int64_t kCopied = 1LL << 28;  // parameters; a larger model stays a view of its file until it is trained

bool has_file(const fs::path& folder, const char* name) {
  std::error_code ignored;
  return fs::exists(folder / name, ignored);
}

Value read_map(const fs::path& file) {
  Value value = read_json(file).value();
  if (!value.is_map()) throw Error(ErrorCode::data, file.string() + ": it is no map");
  return value;
}

std::string text_of(const Value& map, const char* key, const fs::path& file) {
  const Value* value = map.find(key);
  if (value == nullptr || value->is_null()) return {};
  if (!value->is_string()) throw Error(ErrorCode::data, fmt::format("{}: \"{}\" is no string", file.string(), key));
  return value->as_string();
}

// Architecture and declared parameters, without values.
LanguageModel assemble(const std::string& architecture, Value config, bool head, const Registry& registry, Host& host) {
  LanguageModel out;
  out.architecture = architecture;
  out.config = std::move(config);
  out.parameters = std::make_unique<Parameters>();
  out.make_model = [architecture, &registry, &host](ModelPlan& plan) {
    return make<Model>(registry, architecture, Value::map(), host, &plan);
  };
  ModelPlan plan{out.config, *out.parameters, head};
  out.model = out.make_model(plan);
  return out;
}

// Plugins and readers of config.json say what is wrong with it without knowing where it lies.
template <class Action>
auto naming_config(const std::string& where, const Action& action) {
  constexpr std::string_view name = "config.json:";
  try {
    return action();
  } catch (const Error& error) {
    std::string what = error.what();
    const std::size_t at = what.find(name);  // a plugin's message begins with who says it
    if (at == 0 || (at != std::string::npos && what[at - 1] == ' ')) what.replace(at, name.size() - 1, where);
    throw Error(error.code(), what);
  }
}

const Linear& declare_score(LanguageModel& model) {
  const std::int64_t hidden = model.shape().hidden;
  const RewardHead head = reward_head_of(model.config);
  return model.parameters->linear(head.layer, hidden, 1, head.bias, 1.0 / static_cast<double>(hidden + 1));
}

// The head's own parameters: float32 whatever the type of the model, so that rewards are not rounded to 16 bits.
template <class Fill>
void fill_head(LanguageModel& model, const Fill& fill) {
  const std::string layer = reward_head_of(model.config).layer;
  for (const char* part : {".weight", ".bias"}) {
    if (const Parameter* parameter = model.parameters->find(layer + part); parameter != nullptr) fill(*parameter);
  }
}

std::string architecture_of(const fs::path& folder, const Value& config, const Registry& registry) {
  const fs::path file = folder / kConfig;
  const std::string type = text_of(config, "model_type", file);
  if (type.empty()) throw Error(ErrorCode::data, file.string() + ": \"model_type\" is missing");
  const KnownComponent* component = registry.claiming("model", type);
  if (component != nullptr) return component->info.name;
  std::vector<std::string> known;
  for (const KnownComponent* other : registry.all("model")) {
    known.insert(known.end(), other->info.claims.begin(), other->info.claims.end());
  }
  throw Error(ErrorCode::data, fmt::format("{}: no plugin provides model_type \"{}\"; known are {}", file.string(),
                                           type, fmt::join(known, ", ")));
}

Value ours_of(const fs::path& folder) {
  return has_file(folder, kOurs) ? read_map(folder / kOurs) : Value::map();
}

void read_ours(LanguageModel& model, const fs::path& folder, bool tokenizer, const Registry& registry, Host& host) {
  const fs::path file = folder / kOurs;
  const Value ours = ours_of(folder);
  const std::string format = text_of(ours, "chat_format", file);
  if (!format.empty()) {
    model.chat_format = find_chat_format(format);
    if (model.chat_format == nullptr) {
      throw Error(ErrorCode::data, fmt::format("{}: chat format \"{}\" is not known; known are {}", file.string(),
                                               format, fmt::join(chat_format_names(), ", ")));
    }
  }
  if (const Value* padding = ours.find("pad_token_id"); padding != nullptr && model.score != nullptr) {
    model.config.set("pad_token_id", *padding);
  }
  if (tokenizer) give_tokenizer(model, open_tokenizer(folder, text_of(ours, "tokenizer", file), registry, host));
}

void require_gradients(LanguageModel& model) {
  for (const Parameter* parameter : model.parameters->all()) {
    if (parameter->tensor->is_floating_point()) parameter->tensor->set_requires_grad(true);
  }
}

void note_value_head(const std::map<std::string, at::Tensor>& tensors, const fs::path& folder, Host& host) {
  const auto first = tensors.lower_bound("v_head.");
  if (first == tensors.end() || !is_value_head(first->first)) return;
  host.log(LogLevel::warning, fmt::format("{}: the value head ({}) is left out; it has no part in the answers",
                                          folder.string(), first->first));
}

using Adapters = std::vector<SavedAdapter*>;  // from the lowest to the top

// A reward model over a base that is none: an adapter brings the head, and the base's LM head is left out.
void drop_lm_head(const LanguageModel& backbone, const Registry& registry, Host& host,
                  std::map<std::string, at::Tensor>& tensors) {
  const LanguageModel whole = assemble(backbone.architecture, backbone.config, true, registry, host);
  for (const std::string& layer : whole.parameters->linear_names()) {
    if (backbone.parameters->find_linear(layer) == nullptr) tensors.erase(layer + ".weight");
  }
}

LanguageModel open_folder(const fs::path& folder, const Registry& registry, Host& host, const OpenModel& how,
                          const Adapters& adapters) {
  BaseWeights base{read_map(folder / kConfig), read_model_tensors(folder).value(), {}, how.reward_head};
  const std::string architecture = architecture_of(folder, base.config, registry);
  auto& tensors = base.tensors;
  check_sizes(base.config, tensors);
  base.head = reward_head_of(base.config).layer;
  const std::string head = base.head + ".weight";
  const bool brought = how.reward_head && !tensors.contains(head);  // if at all, by an adapter
  fit_base(adapters, base, [&](const Value& config) -> std::shared_ptr<Parameters> {
    return assemble(architecture, config, !how.reward_head, registry, host).parameters;
  });
  if (how.reward_head && !tensors.contains(head)) {
    throw Error(ErrorCode::data, folder.string() + ": no tensor " + head + "; this is no reward model");
  }
  LanguageModel out = assemble(architecture, std::move(base.config), !how.reward_head, registry, host);
  if (how.reward_head) out.score = &declare_score(out);
  if (brought) drop_lm_head(out, registry, host, tensors);
  const bool own = how.training || out.parameter_count() < kCopied;
  const auto quantised = how.placement.int8() ? quantised_names(*out.parameters) : std::set<std::string>{};
  TensorPlace place = tensor_place(how.placement);
  if (!how.values) place.device = at::Device(at::kMeta);
  fill_parameters(*out.parameters, tensors, place, own, folder, quantised);
  note_value_head(tensors, folder, host);
  if (how.reward_head) {
    fill_head(out, [&](const Parameter& parameter) {
      *parameter.tensor = tensors.at(parameter.name).to(place.device, at::kFloat, false, own);
    });
  }
  if (how.training) require_gradients(out);
  out.folder = folder;
  return out;
}

LanguageModel open_full(const fs::path& folder, const Registry& registry, Host& host, const OpenModel& how,
                        const Adapters& adapters) {
  LanguageModel out =
      naming_config((folder / kConfig).string(), [&] { return open_folder(folder, registry, host, how, adapters); });
  read_ours(out, folder, how.tokenizer, registry, host);
  if (!how.reward_head) out.ends = read_end_tokens(folder, out.config, out.shape().vocabulary);
  return out;
}

LanguageModel open_at(const fs::path& folder, const Registry& registry, Host& host, const OpenModel& how,
                      const Adapters& above);

// A PEFT folder, opened for it and for the adapters above. Its own tokenizer, where it holds one, goes before its base's.
LanguageModel open_adapter(const fs::path& folder, const Registry& registry, Host& host, const OpenModel& how,
                           const Adapters& above) {
  static_cast<void>(whole_base(folder).value());  // or says why there is none
  const fs::path base = adapter_base(folder).value();
  SavedAdapter adapter = read_saved_adapter(folder);
  Adapters adapters{&adapter};
  adapters.insert(adapters.end(), above.begin(), above.end());
  OpenModel of_base = how;
  of_base.merge_adapter = false;
  const bool own_tokenizer = how.tokenizer && (find_tokenizer_file(registry, folder).component != nullptr ||
                                               !text_of(ours_of(folder), "tokenizer", folder / kOurs).empty());
  of_base.tokenizer = how.tokenizer && !own_tokenizer;
  LanguageModel out = open_at(base, registry, host, of_base, adapters);
  if (out.lora) freeze_adapter(out);
  load_adapter(out, adapter, how);
  if (how.merge_adapter && how.placement.dtype == "float32" && !how.placement.int8()) merge_adapter(out);
  if (out.base_folder.empty()) out.base_folder = base;
  out.folder = folder;
  read_ours(out, folder, own_tokenizer, registry, host);
  if (how.reward_head) return out;
  const auto own = read_end_tokens(folder, Value(), out.shape().vocabulary);
  if (!own.empty()) out.ends = own;
  return out;
}

LanguageModel open_at(const fs::path& folder, const Registry& registry, Host& host, const OpenModel& how,
                      const Adapters& above) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    throw Error(ErrorCode::data, folder.string() + ": there is no such folder; a model is a folder with config.json");
  }
  if (has_file(folder, kConfig)) return open_full(folder, registry, host, how, above);
  if (!has_file(folder, adapter_config_name)) {
    throw Error(ErrorCode::data,
                folder.string() + ": neither config.json nor adapter_config.json is there; it is no model folder");
  }
  return open_adapter(folder, registry, host, how, above);
}

}  // namespace

std::vector<Parameter*> LanguageModel::trainable() const {
  std::vector<Parameter*> out;
  for (Parameter* parameter : parameters->all()) {
    if (parameter->tensor->requires_grad()) out.push_back(parameter);
  }
  if (adapter == nullptr) return out;
  for (Parameter& parameter : *adapter) {
    if (parameter.tensor->requires_grad()) out.push_back(&parameter);
  }
  return out;
}

at::Device LanguageModel::device() const {
  return parameters->all().front()->tensor->device();
}

at::ScalarType LanguageModel::dtype() const {
  return parameters->all().front()->tensor->scalar_type();
}

std::int64_t LanguageModel::parameter_count() const {
  std::int64_t count = 0;
  for (const Parameter* parameter : parameters->all()) {
    std::int64_t size = 1;
    for (const std::int64_t extent : parameter->shape) size *= extent;
    count += size;
  }
  return count;
}

bool LanguageModel::quantised() const {
  for (const std::string& name : parameters->linear_names()) {
    if (parameters->find_linear(name)->weight_scale.defined()) return true;
  }
  return false;
}

LanguageModel open_language_model(const fs::path& folder, const Registry& registry, Host& host, const OpenModel& how) {
  return open_at(folder, registry, host, how, {});
}

void choose_chat_format(LanguageModel& model, const std::string& name) {
  if (name.empty()) return;
  const ChatFormat* wanted = find_chat_format(name);
  if (wanted == nullptr) {
    throw Error(ErrorCode::recipe,
                fmt::format("there is no chat format `{}`; there are {}", name, fmt::join(chat_format_names(), ", ")));
  }
  if (model.chat_format != nullptr && model.chat_format != wanted) {
    throw Error(ErrorCode::recipe, fmt::format("{} was trained with chat format `{}`; `{}` would not be understood",
                                               model.folder.string(), model.chat_format->name(), name));
  }
  model.chat_format = wanted;
}

LanguageModel new_language_model(const std::string& architecture, const Value& config, const Registry& registry,
                                 Host& host, Random random, const OpenModel& how) {
  const KnownComponent* component = registry.find("model", architecture);
  if (component == nullptr || component->info.claims.empty()) {
    throw Error(ErrorCode::recipe, fmt::format("there is no model architecture \"{}\"; there are {}", architecture,
                                               fmt::join(registry.names("model"), ", ")));
  }
  Value full = Value::map({{"architectures", Value()},
                           {"model_type", component->info.claims.front()},
                           {"torch_dtype", how.placement.dtype}});
  if (config.is_map()) {
    for (const Value::Entry& entry : config.as_map()) full.set(entry.key, entry.value);
  }
  LanguageModel out =
      naming_config("config", [&] { return assemble(component->info.name, full, !how.reward_head, registry, host); });
  if (how.reward_head) out.score = &declare_score(out);
  out.config.set("architectures", Value::list({out.model.call(&Model::architecture, how.reward_head)}));
  const TensorPlace place = tensor_place(how.placement);
  draw_parameters(*out.parameters, random, place);
  if (how.reward_head) {
    fill_head(out, [&](const Parameter& parameter) { draw_parameter(parameter, random, {at::kFloat, place.device}); });
  }
  if (how.training) require_gradients(out);
  return out;
}

void add_reward_head(LanguageModel& model, Random random) {
  if (model.score != nullptr) throw Error(ErrorCode::run_failed, "the model has a reward head already");
  if (model.lora) throw Error(ErrorCode::run_failed, "the reward head comes before the adapter");
  auto before = std::move(model.parameters);
  const at::Tensor& first = *before->all().front()->tensor;
  const at::Device device = first.device();
  const bool training = first.requires_grad();
  model.model = {};  // refers to the old parameters
  model.parameters = std::make_unique<Parameters>();
  ModelPlan plan{model.config, *model.parameters, false};
  model.model = model.make_model(plan);
  for (const Parameter* parameter : model.parameters->all()) {
    const Parameter* old = before->find(parameter->name);
    if (old == nullptr) {
      throw Error(ErrorCode::plugin,
                  fmt::format("model {} declares {} only without its head", model.architecture, parameter->name));
    }
    *parameter->tensor = *old->tensor;
  }
  for (const std::string& name : model.parameters->linear_names()) {
    Linear& layer = *model.parameters->find_linear(name);
    const Linear& old = *before->find_linear(name);
    layer.weight_scale = old.weight_scale;
    layer.adapter = old.adapter;
  }
  model.score = &declare_score(model);
  fill_head(model, [&](const Parameter& parameter) { draw_parameter(parameter, random, {at::kFloat, device}); });
  settle_padding(model);
  if (training) require_gradients(model);
}

}  // namespace plumb
