#include "framework/engine/modeling/reward_head.h"

#include <fmt/format.h>

#include <set>

#include "framework/engine/modeling/language_model.h"
#include "plumb/entries.h"

namespace plumb {
namespace {

std::optional<TokenId> id_at(const Value& config, const char* key) {
  const auto id = entry<std::int64_t>(config, key);
  return id && *id >= 0 ? std::optional(static_cast<TokenId>(*id)) : std::nullopt;
}

bool is_open_assistants(const Value& config) {
  return entry<std::string>(config, "model_type").value_or("").ends_with("_reward_model");
}

// Tokens that end an answer: config.json has one or a list, the tokenizer its own.
std::set<TokenId> end_tokens(const LanguageModel& model) {
  std::set<TokenId> out;
  if (const auto one = id_at(model.config, "eos_token_id")) out.insert(*one);
  if (const Value* several = model.config.find("eos_token_id"); several != nullptr && several->is_list()) {
    for (const Value& id : several->as_list()) {
      if (id.type() == Value::Type::integer) out.insert(static_cast<TokenId>(id.as_int()));
    }
  }
  if (model.tokenizer && model.tokenizer->special().eos) out.insert(*model.tokenizer->special().eos);
  return out;
}

std::optional<TokenId> choose_padding(const LanguageModel& model) {
  const std::set<TokenId> ends = end_tokens(model);
  const std::int64_t rows = model.shape().vocabulary;
  const auto serves = [&](const std::optional<TokenId>& id) { return id && *id < rows && !ends.contains(*id); };
  if (const auto own = id_at(model.config, "pad_token_id"); serves(own)) return own;
  if (!model.tokenizer) return std::nullopt;
  const SpecialTokens special = model.tokenizer->special();
  if (serves(special.pad)) return special.pad;
  for (const char* spelling : {"<pad>", "<|padding|>", "[PAD]", "<|pad|>", "<unk>"}) {
    if (const auto id = model.tokenizer->find(spelling); serves(id)) return id;
  }
  if (serves(special.unk)) return special.unk;
  return serves(special.bos) ? special.bos : std::nullopt;
}

}  // namespace

RewardHead reward_head_of(const Value& config) {
  if (!is_open_assistants(config)) return {.padding = id_at(config, "pad_token_id")};
  RewardHead head{.layer = "out_proj", .bias = true};
  const std::string pooling = entry<std::string>(config, "pooling").value_or("");
  if (pooling == "mean") {
    head.pooling = RewardHead::Pooling::mean;
  } else if (!pooling.empty() && pooling != "last") {
    throw Error(ErrorCode::data, fmt::format("config.json: pooling is \"{}\"; known are last and mean", pooling));
  }
  return head;
}

bool is_head(const std::string& tensor, const Value& config) {
  return tensor.starts_with(reward_head_of(config).layer + ".");
}

bool is_head(const std::string& parameter, const LanguageModel& model) {
  return model.score != nullptr && is_head(parameter, model.config);
}

bool is_reward_model(const Value& config) {
  if (is_open_assistants(config)) return true;
  const Value* names = config.is_map() ? config.find("architectures") : nullptr;
  if (names == nullptr || !names->is_list()) return false;
  for (const Value& name : names->as_list()) {
    if (name.is_string() && name.as_string().ends_with("ForSequenceClassification")) return true;
  }
  return false;
}

std::int64_t read_position(const RewardHead& head, std::span<const TokenId> prompt, std::span<const TokenId> answer) {
  const auto all = static_cast<std::int64_t>(prompt.size() + answer.size());
  if (!head.padding) return all - 1;
  const auto last = [&](std::span<const TokenId> ids) {
    auto at = static_cast<std::int64_t>(ids.size()) - 1;
    while (at >= 0 && ids[static_cast<std::size_t>(at)] == *head.padding) --at;
    return at;
  };
  const std::int64_t in_answer = last(answer);
  if (in_answer >= 0) return static_cast<std::int64_t>(prompt.size()) + in_answer;
  return std::max<std::int64_t>(0, last(prompt));
}

bool settle_padding(LanguageModel& model) {
  if (is_open_assistants(model.config)) return false;  // its mask counts tokens: no id is padding
  const std::optional<TokenId> before = id_at(model.config, "pad_token_id"), chosen = choose_padding(model);
  model.config.set("pad_token_id", chosen ? Value(std::int64_t{*chosen}) : Value());
  return before.has_value() && before != chosen;
}

}  // namespace plumb
