#include <fmt/format.h>

#include "framework/artifacts/disk.h"
#include "framework/modeling/language_model.h"
#include "framework/modeling/lora.h"
#include "framework/modeling/reward_head.h"
#include "framework/modeling/safetensors.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

void write_json(const fs::path& file, const Value& value) {
  write_file(file, to_json(value, false, 2) + "\n").value();
}

const char* name_of(at::ScalarType type) {
  if (type == at::kFloat) return "float32";
  if (type == at::kBFloat16) return "bfloat16";
  throw Error(ErrorCode::run_failed, fmt::format("weights of type {} cannot be saved", c10::toString(type)));
}

Value id_or_null(const std::optional<TokenId>& id) {
  return id ? Value(std::int64_t{*id}) : Value();
}

bool lacks(const Value& config, const char* key) {
  const Value* value = config.find(key);
  return value == nullptr || value->is_null();
}

Value config_of(const LanguageModel& model) {
  Value config = model.config;
  const bool classifier = model.score != nullptr;
  // A head of Open Assistant's layout has its own class, which config.json names already.
  const bool foreign_head = classifier && reward_head_of(config).layer != "score";
  if (!foreign_head) config.set("architectures", Value::list({model.model->architecture(classifier)}));
  const char* type = name_of(model.parameters->all().front()->tensor->scalar_type());
  if (config.find("dtype") != nullptr || config.find("torch_dtype") == nullptr) {
    config.set("dtype", type);  // transformers 5
  }
  if (config.find("torch_dtype") != nullptr) config.set("torch_dtype", type);
  const SpecialTokens special = model.tokenizer ? model.tokenizer->special() : SpecialTokens{};
  if (lacks(config, "bos_token_id") && special.bos) config.set("bos_token_id", id_or_null(special.bos));
  if (lacks(config, "eos_token_id") && special.eos) config.set("eos_token_id", id_or_null(special.eos));
  if (!classifier || foreign_head) return config;
  config.set("id2label", Value::map({{"0", "LABEL_0"}}));
  config.set("label2id", Value::map({{"LABEL_0", 0}}));
  return config;
}

Value generation_config_of(const LanguageModel& model, const Value& config) {
  const fs::path source = model.folder / "generation_config.json";
  std::error_code ignored;
  if (!model.folder.empty() && fs::exists(source, ignored)) return read_json(source).value();
  Value out = Value::map({{"_from_model_config", true}});
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
    if (!lacks(config, key)) out.set(key, config.at(key));
  }
  return out;
}

void copy_tokenizer(const LanguageModel& model, const fs::path& folder) {
  if (!model.tokenizer) return;
  for (const std::string& name : model.tokenizer->files()) {
    const fs::path source = model.tokenizer_folder / name;
    std::error_code ignored;
    if (fs::equivalent(source, folder / name, ignored)) continue;
    write_file(folder / name, read_file(source).value()).value();
  }
}

// A token's own spelling, or nothing when the tokenizer does not lead back from it.
std::string spelling_of(const Tokenizer& tokenizer, TokenId id) {
  const std::vector<TokenId> one{id};
  for (const std::string& text : {tokenizer.decode(one, true), tokenizer.piece_bytes(id), std::string("<unk>")}) {
    if (!text.empty() && tokenizer.find(text) == id) return text;
  }
  return {};
}

// So that rows padded with the saved tokenizer are padded with the token that config.json says is padding: a reward
// model that is padded with another one is read at the padding.
void declare_padding(const LanguageModel& model, const Value& config, const fs::path& folder) {
  if (model.score == nullptr || !model.tokenizer || lacks(config, "pad_token_id")) return;
  if (model.tokenizer->special().pad == config.at("pad_token_id").as_int()) return;
  const std::string text = spelling_of(*model.tokenizer, static_cast<TokenId>(config.at("pad_token_id").as_int()));
  if (text.empty()) return;
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    std::error_code ignored;
    if (!fs::exists(folder / name, ignored)) continue;
    Value declared = read_json(folder / name).value();
    if (!declared.is_map()) continue;
    declared.set("pad_token", text);
    write_json(folder / name, declared);
  }
}

// An adapter has no config.json: its reward head's padding token stands here.
void write_ours(const LanguageModel& model, const fs::path& folder, bool adapter_only = false) {
  Value ours = Value::map();
  if (adapter_only && model.score != nullptr && model.config.find("pad_token_id") != nullptr) {
    ours.set("pad_token_id", model.config.at("pad_token_id"));
  }
  if (model.chat_format != nullptr) ours.set("chat_format", model.chat_format->name());
  if (!model.tokenizer_component.empty()) ours.set("tokenizer", model.tokenizer_component);
  write_json(folder / "plumb.json", ours);
}

}  // namespace

void save_language_model(const LanguageModel& model, const fs::path& folder, bool adapter_only) {
  fs::create_directories(folder);
  if (adapter_only) {
    save_adapter(model, folder);
    write_ours(model, folder, true);
    return;
  }
  // Of 8-bit layers the full weights, which are still where the model was opened; views of that file until they are
  // used.
  const auto originals =
      model.quantised() ? read_model_tensors(model.folder).value() : std::map<std::string, at::Tensor>{};
  const at::ScalarType type = model.parameters->all().front()->tensor->scalar_type();
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (const Parameter* parameter : model.parameters->all()) {
    const std::string& name = parameter->name;
    const Linear* layer =
        name.ends_with(".weight") ? model.parameters->find_linear(name.substr(0, name.size() - 7)) : nullptr;
    const bool quantised = layer != nullptr && layer->weight_scale.defined();
    const at::Tensor full = quantised ? originals.at(name).to(layer->weight.device(), type) : at::Tensor();
    tensors.emplace_back(name, layer != nullptr ? merged_weight(*layer, full) : *parameter->tensor);
  }
  write_safetensors(folder / "model.safetensors", tensors).value();
  const Value config = config_of(model);
  if (model.score == nullptr) write_json(folder / "generation_config.json", generation_config_of(model, config));
  copy_tokenizer(model, folder);
  declare_padding(model, config, folder);
  write_ours(model, folder);
  write_json(folder / "config.json", config);
}

}  // namespace plumb
