// A model that exists: does its folder hold what a model needs, and which plugins read it.
#include <fmt/format.h>

#include <algorithm>

#include "framework/core/artifacts/adapter_config.h"
#include "framework/core/artifacts/adapter_folder.h"
#include "framework/core/recipe/checking.h"
#include "plumb/json_fields.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kConfigBytes = 1 << 20;

bool has(const fs::path& folder, const char* file) {
  std::error_code error;
  return fs::is_regular_file(folder / file, error);
}

// config.json, or null after a complaint.
Value read_config(Checking& c, const StageSpec& stage, const fs::path& folder, Mark mark, const std::string& param) {
  const fs::path file = folder / "config.json";
  try {
    Value config = read_json_file(file.string(), kConfigBytes);
    if (config.is_map()) return config;
    c.complain(stage, mark, param, fmt::format("{} holds {}, not an object", file.string(), config.type_name()));
  } catch (const Error& broken) {
    c.complain(stage, mark, param, broken.what());
  }
  return {};
}

std::vector<std::string> claims(const Registry& registry, const std::string& kind) {
  std::vector<std::string> out;
  for (const KnownComponent* component : registry.all(kind)) {
    out.insert(out.end(), component->info.claims.begin(), component->info.claims.end());
  }
  return out;
}

void find_model(Checking& c, StageSpec& stage, const Value& config, Mark mark, const std::string& param) {
  const Value* type = config.find("model_type");
  if (type == nullptr || !type->is_string()) {
    c.complain(stage, mark, param, "config.json has no model_type; it says which plugin reads the model");
    return;
  }
  if (const KnownComponent* model = c.registry.claiming("model", type->as_string())) {
    stage.components.push_back({param, model});
    return;
  }
  c.complain(stage, mark, param,
             fmt::format("no plugin reads models of model_type `{}`; there are plugins for: {}", type->as_string(),
                         joined(claims(c.registry, "model"))));
}

// The folder with config.json below an adapter's, or the model's own; empty after a complaint.
fs::path found_base(Checking& c, const StageSpec& stage, const fs::path& folder, Mark mark, const std::string& param) {
  const Result<fs::path> base = whole_base(folder);
  if (!base) {
    c.complain(stage, mark, param, base.error().what());
    return {};
  }
  // What an adapter sets and is not computed here is seen now, too.
  for (fs::path at = folder; is_adapter_folder(at); at = adapter_base(at).value()) {
    const auto config = read_adapter_config(at);
    if (config) continue;
    c.complain(stage, mark, param, config.error().what());
    return {};
  }
  return *base;
}

bool has_tokenizer(const Checking& c, const fs::path& folder) {
  const auto known = claims(c.registry, "tokenizer");
  return std::any_of(known.begin(), known.end(), [&](const std::string& file) { return has(folder, file.c_str()); });
}

// Of a model: an adapter's own tokenizer goes before its base's.
void find_models_tokenizer(Checking& c, StageSpec& stage, const fs::path& folder, Mark mark, const std::string& param) {
  fs::path at = folder;
  while (is_adapter_folder(at) && !has_tokenizer(c, at)) at = adapter_base(at).value();
  find_tokenizer(c, stage, at, mark, param);
}

}  // namespace

// Every plugin that could read the tokenizer counts, so that whichever is taken its change is seen.
void find_tokenizer(Checking& c, StageSpec& stage, const fs::path& folder, Mark mark, const std::string& param) {
  bool found = false;
  for (const KnownComponent* tokenizer : c.registry.all("tokenizer")) {
    const auto& files = tokenizer->info.claims;
    if (std::none_of(files.begin(), files.end(), [&](const std::string& file) { return has(folder, file.c_str()); }))
      continue;
    stage.components.push_back({param, tokenizer});
    found = true;
  }
  if (found) return;
  c.complain(stage, mark, param,
             fmt::format("{} has no tokenizer file that a plugin reads; there are plugins for: {}", folder.string(),
                         joined(claims(c.registry, "tokenizer"))));
}

void check_model_folder(Checking& c, StageSpec& stage) {
  const Value& path = stage.params.at("path");
  const fs::path folder = path.as_string();
  std::error_code error;
  if (!fs::exists(folder, error)) return;  // complained of as any path
  if (!fs::is_directory(folder, error)) {
    c.complain(stage, path.mark, "path", folder.string() + " is a file; a model is a folder");
    return;
  }
  const fs::path whole = found_base(c, stage, folder, path.mark, "path");
  if (whole.empty()) return;
  if (!has(whole, "config.json")) {
    c.complain(stage, path.mark, "path", whole.string() + " has no config.json, so it is no model folder");
    return;
  }
  if (const Value config = read_config(c, stage, whole, path.mark, "path"); config.is_map())
    find_model(c, stage, config, path.mark, "path");
  if (c.source.files_may_be_absent) return;
  if (!has(whole, "model.safetensors") && !has(whole, "model.safetensors.index.json")) {
    c.complain(stage, path.mark, "path",
               whole.string() + " has neither model.safetensors nor model.safetensors.index.json");
  }
  if (whole != folder && !has(folder, "adapter_model.safetensors")) {
    c.complain(stage, path.mark, "path", folder.string() + " has no adapter_model.safetensors");
  }
  if (stage.params.at("tokenizer").is_null()) find_models_tokenizer(c, stage, folder, path.mark, "path");
}

void check_opened_folder(Checking& c, StageSpec& stage, const Value& path, const std::string& param) {
  const fs::path whole = found_base(c, stage, path.as_string(), path.mark, param);
  if (whole.empty() || !has(whole, "config.json")) return;
  const Value config = read_config(c, stage, whole, path.mark, param);
  if (!config.is_map()) return;
  find_model(c, stage, config, path.mark, param);
  if (!c.source.files_may_be_absent) find_models_tokenizer(c, stage, path.as_string(), path.mark, param);
}

Value read_small_json(const fs::path& file) {
  try {
    return read_json_file(file.string(), kConfigBytes);
  } catch (const Error&) {
    return {};
  }
}

std::string no_reward_model(const Value& config) {
  const Value* names = config.find("architectures");
  if (names != nullptr && names->is_list() && !names->as_list().empty() && names->as_list().front().is_string()) {
    const std::string& name = names->as_list().front().as_string();
    if (name.ends_with("ForCausalLM") || name.ends_with("LMHeadModel")) {
      return fmt::format(
          "its config.json says {}, a language model; a reward model has a head that gives one number "
          "(…ForSequenceClassification)",
          name);
    }
  }
  const Value *labels = config.find("num_labels"), *by_id = config.find("id2label");
  std::int64_t count = 1;
  if (labels != nullptr && labels->type() == Value::Type::integer) count = labels->as_int();
  if (by_id != nullptr && by_id->is_map()) count = static_cast<std::int64_t>(by_id->as_map().size());
  if (count == 1) return {};
  return fmt::format("its config.json says {} labels; a reward model gives one number", count);
}

}  // namespace plumb
