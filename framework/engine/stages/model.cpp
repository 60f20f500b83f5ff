// Stage `model`: what a recipe starts from, as a model folder.
//
// Output of an existing model: links to its files, plumb.json. Output of random weights: a complete Hugging Face
// folder.
#include <fmt/format.h>

#include <array>

#include "framework/core/artifacts/adapter_folder.h"
#include "framework/core/artifacts/disk.h"
#include "framework/core/catalogue/settings.h"
#include "framework/core/registry/registry.h"
#include "framework/engine/modeling/end_tokens.h"
#include "framework/engine/modeling/language_model.h"
#include "framework/engine/modeling/merged_model.h"
#include "framework/engine/modeling/model_links.h"
#include "framework/engine/modeling/reward_head.h"
#include "framework/engine/modeling/tokenizer_choice.h"
#include "framework/engine/stages/body.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

constexpr const char* kOurs = "plumb.json";
constexpr std::array kTokenizerFiles{"tokenizer.json",
                                     "tokenizer.model",
                                     "tokenizer_config.json",
                                     "special_tokens_map.json",
                                     "added_tokens.json",
                                     "chat_template.jinja",
                                     "chat_template.json",
                                     "vocab.json",
                                     "merges.txt",
                                     "vocab.txt"};

Value read_ours(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::exists(folder / kOurs, ignored)) return Value::map();
  return read_json(folder / kOurs).value();
}

// The tokenizer of a `tokenizer` or `model` artifact.
ChosenTokenizer tokenizer_of(const Artifact& artifact, StageContext& context) {
  const Value ours = read_ours(artifact.folder);
  const Value* component = ours.find("tokenizer");
  ChosenTokenizer chosen =
      open_tokenizer(artifact.folder, component == nullptr ? "" : component->as_string(), context.registry(), context);
  if (chosen.tokenizer == nullptr) {
    throw Error(ErrorCode::data, fmt::format("{} holds no tokenizer that a plugin can read", artifact.folder.string()));
  }
  return chosen;
}

bool is_classifier(const fs::path& folder) {
  std::error_code ignored;
  if (is_adapter_folder(folder)) return is_reward_adapter(folder);
  if (!fs::exists(folder / "config.json", ignored)) return false;
  const Value config = read_json(folder / "config.json").value();
  return is_reward_model(config);
}

void summarise(const LanguageModel& model, StageContext& context) {
  context.summarise("architecture", model.architecture);
  context.summarise("parameters", model.parameter_count());
  context.summarise("vocabulary", model.shape().vocabulary);
  context.summarise("context", model.shape().context);
  if (model.chat_format != nullptr) context.summarise("chat_format", model.chat_format->name());
}

// The links' place means nothing to whoever gave the model: errors name the folder that the recipe names.
LanguageModel open_linked(const fs::path& folder, const fs::path& source, StageContext& context) {
  try {
    return open_language_model(folder, context.registry(), context,
                               {.reward_head = is_classifier(folder), .values = false});
  } catch (const Error& error) {
    std::string what = error.what();
    const std::string links = folder.string();
    for (auto at = what.find(links); at != std::string::npos; at = what.find(links, at)) {
      what.replace(at, links.size(), source.string());
      at += source.string().size();
    }
    throw Error(error.code(), what);
  }
}

// The folder's own ids of BOS, EOS and padding are another tokenizer's.
void replace_special_ids(const fs::path& folder, const SpecialTokens& special) {
  Value config = read_generation_config(folder);
  if (config.is_null()) config = Value::map();
  set_special_ids(config, special);
  fs::remove(folder / "generation_config.json");  // a link to the folder's
  write_file(folder / "generation_config.json", to_json(config, false, 2) + "\n").value();
}

// Linked, then opened once without reading weights, so that whatever does not fit is said here and not in the middle of
// a run.
void take_existing(const ModelSettings& settings, StageContext& context) {
  const fs::path source = (fs::path(context.recipe_folder()) / *settings.path).lexically_normal();
  const fs::path folder = context.folder();
  link_model_files(source, folder, folder.parent_path());
  Value ours = read_ours(source);
  if (const Artifact* other = context.optional_input("tokenizer")) {
    const ChosenTokenizer chosen = tokenizer_of(*other, context);
    for (const char* name : kTokenizerFiles) fs::remove(folder / name);  // nothing of the folder's own stays beside it
    for (const std::string& name : chosen.tokenizer->files())
      link_file(chosen.folder / name, folder / name, folder.parent_path());
    ours.set("tokenizer", chosen.component);
    replace_special_ids(folder, chosen.tokenizer->special());
  }
  if (settings.chat_format) ours.set("chat_format", *settings.chat_format);
  write_file(folder / kOurs, to_json(ours, false, 2) + "\n").value();
  summarise(open_linked(folder, source, context), context);
}

void set_default(Value& config, const char* key, Value value) {
  if (const Value* given = config.find(key); given == nullptr || given->is_null()) config.set(key, std::move(value));
}

void make_random(const ModelSettings& settings, StageContext& context) {
  ChosenTokenizer chosen = tokenizer_of(context.input("tokenizer"), context);
  Value config = settings.config;
  set_default(config, "vocab_size", static_cast<std::int64_t>(chosen.tokenizer->vocabulary_size()));
  const SpecialTokens special = chosen.tokenizer->special();
  for (const auto& [key, id] :
       {std::pair{"bos_token_id", special.bos}, {"eos_token_id", special.eos}, {"pad_token_id", special.pad}}) {
    set_default(config, key, id ? Value(std::int64_t{*id}) : Value());
  }
  LanguageModel model = new_language_model(*settings.architecture, config, context.registry(), context,
                                           context.random().derive("weights"), {});
  give_tokenizer(model, std::move(chosen));
  model.chat_format = find_chat_format(*settings.chat_format);
  save_language_model(model, context.folder());
  summarise(model, context);
}

void run(StageContext& context) {
  const ModelSettings settings = model_params().parse(context.params());
  settings.path ? take_existing(settings, context) : make_random(settings, context);
}

const BodyRegistration registered("model", run);

}  // namespace

}  // namespace plumb
