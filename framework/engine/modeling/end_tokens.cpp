#include "framework/engine/modeling/end_tokens.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/artifacts/disk.h"
#include "framework/engine/modeling/language_model.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

constexpr const char* kFile = "generation_config.json";
constexpr const char* kKey = "eos_token_id";

TokenId id_of(const Value& value, std::int64_t vocabulary, const fs::path& file) {
  if (value.type() != Value::Type::integer) {
    throw Error(ErrorCode::data, fmt::format("{}: {} holds {}, wanted a token id or a list of them", file.string(),
                                             kKey, value.type_name()));
  }
  const std::int64_t id = value.as_int();
  if (id >= 0 && id < vocabulary) return static_cast<TokenId>(id);
  throw Error(ErrorCode::data, fmt::format("{}: {} is {}, but the model's ids are 0 to {}; correct it there",
                                           file.string(), kKey, id, vocabulary - 1));
}

std::vector<TokenId> ids_of(const Value& config, std::int64_t vocabulary, const fs::path& file) {
  std::vector<TokenId> ids;
  const Value* value = config.is_map() ? config.find(kKey) : nullptr;
  if (value == nullptr || value->is_null()) return ids;
  if (!value->is_list()) return {id_of(*value, vocabulary, file)};
  for (const Value& one : value->as_list()) {
    const TokenId id = id_of(one, vocabulary, file);
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  }
  return ids;
}

Value to_value(const std::vector<TokenId>& ids) {
  if (ids.size() == 1) return std::int64_t{ids.front()};
  Value::List list;
  for (const TokenId id : ids) list.emplace_back(std::int64_t{id});
  return list;
}

Value or_null(const std::optional<TokenId>& id) {
  return id ? Value(std::int64_t{*id}) : Value();
}

}  // namespace

Value read_generation_config(const fs::path& folder) {
  std::error_code ignored;
  if (folder.empty() || !fs::exists(folder / kFile, ignored)) return {};
  Value config = read_json(folder / kFile).value();
  if (!config.is_map()) throw Error(ErrorCode::data, (folder / kFile).string() + ": it is no map");
  return config;
}

std::vector<TokenId> read_end_tokens(const fs::path& folder, const Value& config, std::int64_t vocabulary) {
  std::vector<TokenId> ids = ids_of(read_generation_config(folder), vocabulary, folder / kFile);
  return ids.empty() ? ids_of(config, vocabulary, folder / "config.json") : ids;
}

std::vector<TokenId> end_tokens(const LanguageModel& model) {
  if (!model.ends.empty() || model.tokenizer == nullptr) return model.ends;
  const auto eos = model.tokenizer->special().eos;
  return eos ? std::vector<TokenId>{*eos} : std::vector<TokenId>();
}

bool ends_with_eos(const LanguageModel& model) {
  const auto eos = model.tokenizer == nullptr ? std::nullopt : model.tokenizer->special().eos;
  const std::vector<TokenId> ends = end_tokens(model);
  return !eos || std::find(ends.begin(), ends.end(), *eos) != ends.end();
}

Value generation_config_of(const LanguageModel& model, const Value& config) {
  Value out = read_generation_config(model.folder);
  if (out.is_null()) out = read_generation_config(model.base_folder);
  if (out.is_null()) {
    out = Value::map({{"_from_model_config", true}});
    for (const char* key : {"bos_token_id", kKey, "pad_token_id"}) {
      const Value* id = config.find(key);
      if (id != nullptr && !id->is_null()) out.set(key, *id);
    }
  }
  std::vector<TokenId> ends = end_tokens(model);
  if (!ends_with_eos(model)) ends.push_back(*model.tokenizer->special().eos);
  if (!ends.empty()) out.set(kKey, to_value(ends));
  return out;
}

void set_special_ids(Value& config, const SpecialTokens& special) {
  config.set("bos_token_id", or_null(special.bos));
  config.set(kKey, or_null(special.eos));
  config.set("pad_token_id", or_null(special.pad));
}

}  // namespace plumb
