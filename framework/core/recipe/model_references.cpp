// What stages and components ask of the models that they name: a chat format, and of a reward a model that can be one.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "framework/core/data/chat_format.h"
#include "framework/core/recipe/checking.h"
#include "framework/core/recipe/dotted_value.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

bool opens_models(const ComponentInfo& info) {
  return std::find(info.needs.begin(), info.needs.end(), "language-models") != info.needs.end();
}

bool scores(const ComponentInfo& info) {
  return info.kind.starts_with("reward-model/") || info.kind.starts_with("judge/");
}

// The chat format that a folder's plumb.json names; empty when there is none.
std::string stored_format(const fs::path& folder) {
  const Value ours = read_small_json(folder / "plumb.json");
  const Value* format = ours.is_map() ? ours.find("chat_format") : nullptr;
  return format != nullptr && format->is_string() ? format->as_string() : std::string();
}

// The entry of `models:` that a stage's model began as, whose chat format every later stage keeps; null when there is
// none, as after a complaint.
const StageSpec* origin_of(Checking& c, const StageSpec* model, std::set<std::string>& seen) {
  while (model != nullptr && model->kind != nullptr && seen.insert(model->name).second) {
    if (model->section == "models") return model;
    model = input_of(c, *model, "model");
  }
  return nullptr;
}

// Whether the model has a chat format, as far as its parameters and its folder's files tell.
bool lacks_format(const Checking& c, const StageSpec& model) {
  const Value *given = model.params.find("chat_format"), *path = model.params.find("path");
  if (given == nullptr || !given->is_null() || path == nullptr || !path->is_string()) return false;
  const fs::path folder = path->as_string();
  std::error_code error;
  // Of an adapter the base may name it.
  if (c.source.files_may_be_absent || !fs::exists(folder / "config.json", error)) return false;
  return stored_format(folder).empty();
}

const Value* own_format(const StageSpec& stage, const ComponentUse& use) {
  const Value* format = find_dotted(stage.params, use.param + ".chat_format");
  return format != nullptr && format->is_string() && !format->as_string().empty() ? format : nullptr;
}

// The inputs of a stage that conversations are written for.
std::vector<std::string> written_for(const StageSpec& stage, Checking& c) {
  std::vector<std::string> out;
  if (stage.of_plugin != nullptr) return out;  // nobody knows what it does with a model
  const StageSpec* data = input_of(c, stage, "data");
  const bool texts = data != nullptr && data->output == artifact_type::texts;
  const auto answers_elsewhere = [](const ComponentUse& use) {
    return use.param == "generator" && !opens_models(use.component->info);
  };
  const bool written = !texts && std::none_of(stage.components.begin(), stage.components.end(), answers_elsewhere);
  for (const StageInput& input : stage.inputs) {
    const std::string param = input.param.substr(0, input.param.find('/'));
    if ((param == "model" || param == "models") && written) out.push_back(input.param);
    if (param != "reward_model") continue;
    // A component that names a format of its own needs none of the model.
    const bool own = std::any_of(stage.components.begin(), stage.components.end(), [&](const ComponentUse& use) {
      return scores(use.component->info) && own_format(stage, use) != nullptr;
    });
    if (!own) out.push_back(input.param);
  }
  return out;
}

void check_formats(Checking& c) {
  std::set<std::string> said;
  for (const StageSpec& stage : c.stages) {
    if (stage.kind == nullptr || stage.section != "stages") continue;
    for (const std::string& param : written_for(stage, c)) {
      std::set<std::string> seen;
      const StageSpec* model = origin_of(c, input_of(c, stage, param), seen);
      if (model == nullptr || !lacks_format(c, *model) || !said.insert(model->name).second) continue;
      c.complain(*model, model->params.at("path").mark, "chat_format",
                 fmt::format("{} names no chat format, and stage `{}` writes conversations for it; give the one that "
                             "it was trained with, of {}",
                             model->params.at("path").as_string(), stage.name, joined(chat_format_names())));
    }
  }
}

// A folder that a component opens by itself: `reward: {name: …, path: FOLDER}`.
void check_own_folder(Checking& c, const StageSpec& stage, const ComponentUse& use, const Value& path) {
  const std::string param = use.param + ".path";
  const fs::path folder = path.as_string();
  const Value config = read_small_json(folder / "config.json");
  if (!config.is_map()) return;
  if (scores(use.component->info)) {
    if (const std::string why = no_reward_model(config); !why.empty()) {
      c.complain(stage, path.mark, param, fmt::format("{}: {}", folder.string(), why));
    }
  }
  const Value* own = own_format(stage, use);
  const std::string stored = stored_format(folder);
  if (own != nullptr && !stored.empty() && own->as_string() != stored) {
    c.complain(stage, path.mark, use.param + ".chat_format",
               fmt::format("{} was trained with chat format `{}`; `{}` would not be understood", folder.string(),
                           stored, own->as_string()));
  }
  if (c.source.files_may_be_absent || own != nullptr || !stored.empty()) return;
  const auto& infos = use.component->info.params;
  const bool settable =
      std::any_of(infos.begin(), infos.end(), [](const ParamInfo& info) { return info.name == "chat_format"; });
  c.complain(stage, path.mark, use.param + ".chat_format",
             fmt::format("{} names no chat format; {} the one that it was trained with, of {}", folder.string(),
                         settable ? "give" : "write into its plumb.json, as {\"chat_format\": NAME},",
                         joined(chat_format_names())));
}

// Rows of a model's vocabulary, as far as its parameters and its config.json tell.
std::optional<std::int64_t> vocabulary_of(const StageSpec& model) {
  const Value *path = model.params.find("path"), *config = model.params.find("config");
  const Value read = path != nullptr && path->is_string() ? read_small_json(fs::path(path->as_string()) / "config.json")
                                                          : (config == nullptr ? Value() : *config);
  const Value* rows = read.is_map() ? read.find("vocab_size") : nullptr;
  if (rows == nullptr || rows->type() != Value::Type::integer) return std::nullopt;
  return rows->as_int();
}

// A policy, its reference and the model of its values read the same token ids.
void check_vocabularies(Checking& c, const StageSpec& stage) {
  std::set<std::string> seen, also_seen;
  const StageSpec* policy = origin_of(c, input_of(c, stage, "model"), seen);
  const auto tokens_of = [](const StageSpec* model) -> std::int64_t {
    return model == nullptr ? -1 : vocabulary_of(*model).value_or(-1);
  };
  const std::int64_t wanted = tokens_of(policy);
  for (const char* param : {"reference", "value_model"}) {
    also_seen.clear();
    const StageSpec* other = origin_of(c, input_of(c, stage, param), also_seen);
    const std::int64_t found = tokens_of(other);
    if (wanted < 0 || found < 0 || wanted == found) continue;
    c.complain(stage, stage.params.at(param).mark, param,
               fmt::format("`{}` has {} tokens in its vocabulary, the policy {}; both read the same token ids and need "
                           "one tokenizer",
                           stage.params.at(param).as_string(), found, wanted));
  }
}

}  // namespace

void check_model_references(Checking& checking) {
  for (const StageSpec& stage : checking.stages) {
    if (stage.kind == nullptr) continue;
    check_vocabularies(checking, stage);
    for (const ComponentUse& use : stage.components) {
      if (!opens_models(use.component->info)) continue;
      const Value* path = find_dotted(stage.params, use.param + ".path");
      if (path != nullptr && path->is_string() && !path->as_string().empty()) {
        check_own_folder(checking, stage, use, *path);
      }
    }
  }
  check_formats(checking);
}

}  // namespace plumb
