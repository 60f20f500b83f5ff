// Kind `model`: an entry of `models:`, a model to start from.
#include <fmt/format.h>

#include "framework/core/catalogue/declared.h"
#include "framework/core/catalogue/settings.h"
#include "framework/core/data/chat_format.h"
#include "framework/core/recipe/checking.h"

namespace plumb {
namespace {

namespace type = artifact_type;

std::string broken_model(const ModelSettings& s) {
  if (s.path && s.architecture) {
    return "architecture: give either path (a model that exists) or architecture (random weights), not both";
  }
  if (!s.path && !s.architecture) {
    return "needs path (the folder of a model that exists) or architecture (random weights of that kind)";
  }
  if (s.path && !s.config.is_null()) return "config: only for random weights; the config.json in path decides";
  if (s.architecture && !s.config.is_map()) {
    return s.config.is_null() ? "random weights need config, a map of config.json keys such as hidden_size"
                              : "config: must be a map of config.json keys such as hidden_size";
  }
  if (s.architecture && !s.tokenizer) return "random weights need tokenizer, a stage of kind tokenizer or a model";
  if (s.architecture && !s.chat_format) {
    return "random weights need chat_format: how conversations become tokens";
  }
  return {};
}

Declared<ModelSettings> declare_model() {
  Declared<ModelSettings> d{"a model to start from: a Hugging Face folder, or random weights"};
  auto& p = d.params;
  p.add(&ModelSettings::path, "path", "folder with config.json, safetensors and tokenizer files").path();
  p.add(&ModelSettings::architecture, "architecture", "random weights of this kind of model").component("model");
  p.add(&ModelSettings::config, "config",
        "keys of config.json for random weights; the vocabulary comes from the tokenizer");
  p.add(&ModelSettings::tokenizer, "tokenizer", "a trained tokenizer, or a model whose tokenizer is taken")
      .accepts({type::tokenizer, type::model});
  p.add(&ModelSettings::chat_format, "chat_format", "how conversations become tokens; stored with the model")
      .choices(chat_format_names());
  d.rule(broken_model);
  return d;
}

// The folder of the tokenizer that a model takes from a `tokenizer` stage, or null when that stage trains one.
const Value* existing_tokenizer(Checking& c, const StageSpec& model) {
  const StageSpec* source = c.find(model.params.at("tokenizer").as_string());
  if (source == nullptr || source->kind == nullptr || source->kind->kind != "tokenizer") return nullptr;
  const Value* path = source->params.find("path");
  return path != nullptr && path->is_string() ? path : nullptr;
}

// The tokenizer plugin that reads what a `tokenizer` stage writes.
void add_tokenizer(Checking& c, StageSpec& stage) {
  if (const Value* path = existing_tokenizer(c, stage)) {
    find_tokenizer(c, stage, path->as_string(), stage.params.at("tokenizer").mark, "tokenizer");
    return;
  }
  constexpr const char* file = "tokenizer.json";
  if (const KnownComponent* reader = c.registry.claiming("tokenizer", file)) {
    stage.components.push_back({"tokenizer", reader});
  } else {
    c.complain(stage, stage.params.at("tokenizer").mark, "tokenizer",
               fmt::format("no tokenizer plugin reads {}; there are: {}", file, joined(c.registry.names("tokenizer"))));
  }
}

// The plugins that read the model's folder, and the tokenizer that random weights take.
void find_readers(Checking& c, StageSpec& stage) {
  if (const Value& path = stage.params.at("path"); path.is_string()) check_model_folder(c, stage);
  if (stage.params.at("tokenizer").is_string()) add_tokenizer(c, stage);
}

// Random weights with fewer rows than their tokenizer has tokens.
void check_vocabulary(Checking& c, const StageSpec& stage) {
  const Value& config = stage.params.at("config");
  const Value* rows = config.is_map() ? config.find("vocab_size") : nullptr;
  const StageSpec* tokenizer = input_of(c, stage, "tokenizer");
  if (rows == nullptr || rows->type() != Value::Type::integer || tokenizer == nullptr || tokenizer->kind == nullptr)
    return;
  const Value* tokens = tokenizer->kind->kind == "tokenizer" && tokenizer->params.at("path").is_null()
                            ? tokenizer->params.find("vocabulary_size")
                            : nullptr;
  if (tokens == nullptr || tokens->type() != Value::Type::integer || tokens->as_int() <= rows->as_int()) return;
  c.complain(stage, rows->mark, "config.vocab_size",
             fmt::format("found {}, but the tokenizer `{}` has {} tokens; leave it out, or make it at least that",
                         rows->as_int(), tokenizer->name, tokens->as_int()));
}

StageKind make_kind() {
  StageKind kind = declare_model().kind("model", type::model);
  kind.section = "models";
  kind.uses_seed = [](const Value& params) { return !params.at("architecture").is_null(); };
  kind.models.work = ModelWork::holds;
  kind.find_components = find_readers;
  kind.rules = check_vocabulary;
  return kind;
}

const KindRegistration registered(30, make_kind);

}  // namespace

Params<ModelSettings> model_params() {
  return declare_model().with_rules();
}

}  // namespace plumb
