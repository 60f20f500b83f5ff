#include <fmt/format.h>

#include "framework/core/artifacts/disk.h"
#include "framework/engine/modeling/end_tokens.h"
#include "framework/engine/modeling/language_model.h"
#include "framework/engine/modeling/lora.h"
#include "framework/engine/modeling/model_links.h"
#include "framework/engine/modeling/reward_head.h"
#include "framework/engine/modeling/save_model.h"

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

Value config_of(const LanguageModel& model, const char* type) {
  Value config = model.config;
  const bool classifier = model.score != nullptr;
  // A head of Open Assistant's layout has its own class, which config.json names already.
  const bool foreign_head = classifier && reward_head_of(config).layer != "score";
  if (!foreign_head) config.set("architectures", Value::list({model.model.call(&Model::architecture, classifier)}));
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
void write_ours(const LanguageModel& model, const fs::path& folder, bool adapter = false) {
  Value ours = Value::map();
  if (adapter && model.score != nullptr && model.config.find("pad_token_id") != nullptr) {
    ours.set("pad_token_id", model.config.at("pad_token_id"));
  }
  if (model.chat_format != nullptr) ours.set("chat_format", model.chat_format->name());
  if (!model.tokenizer_component.empty()) ours.set("tokenizer", model.tokenizer_component);
  write_json(folder / "plumb.json", ours);
}

}  // namespace

void save_weights(const LanguageModel& model, const fs::path& folder, at::ScalarType type,
                  const std::vector<TensorToWrite>& tensors) {
  fs::create_directories(folder);
  stream_safetensors(folder / "model.safetensors", tensors).value();
  const Value config = config_of(model, name_of(type));
  if (model.score == nullptr) write_json(folder / "generation_config.json", generation_config_of(model, config));
  copy_tokenizer(model, folder);
  declare_padding(model, config, folder);
  write_ours(model, folder);
  write_json(folder / "config.json", config);
}

void save_language_model(const LanguageModel& model, const fs::path& folder) {
  if (!model.lora) {
    if (model.quantised()) throw Error(ErrorCode::run_failed, "a model of 8-bit weights cannot be saved");
    std::vector<TensorToWrite> tensors;
    for (const Parameter* parameter : model.parameters->all()) {
      const at::Tensor& tensor = *parameter->tensor;
      tensors.push_back({parameter->name, tensor.scalar_type(), tensor.sizes().vec(), [&tensor] { return tensor; }});
    }
    return save_weights(model, folder, model.dtype(), tensors);
  }
  // A fresh adapter's base is the model it was attached to.
  const fs::path& base = model.base_folder.empty() ? model.folder : model.base_folder;
  if (base.empty()) throw Error(ErrorCode::run_failed, "an adapter cannot be saved before the model below it is");
  fs::create_directories(folder);
  link_model_files(base, folder / base_links_name, fs::absolute(folder).parent_path());
  save_adapter(model, folder, base_links_name);
  // Where the base's own would let an answer go on past the EOS that training taught it.
  if (model.score == nullptr && !ends_with_eos(model)) {
    write_json(folder / "generation_config.json", generation_config_of(model, model.config));
  }
  copy_tokenizer(model, folder);
  declare_padding(model, model.config, folder);
  write_ours(model, folder, true);
}

}  // namespace plumb
