#include "plumb/rows.h"

#include <algorithm>
#include <cmath>

#include "plumb/error.h"
#include "plumb/selection_policy.h"

namespace plumb {
inline namespace v1 {
namespace {

Value messages_value(const Conversation& messages) {
  Value::List out;
  for (const Message& message : messages) {
    out.push_back(Value::map({{"role", message.role}, {"content", message.content}}));
  }
  return out;
}

Value answer_value(const std::string& text) {
  return messages_value({{"assistant", text}});
}

void add_extra(Value& row, const Value& extra) {
  if (!extra.is_map()) return;
  for (const auto& [key, value] : extra.as_map()) {
    if (row.find(key) == nullptr) row.set(key, value);
  }
}

void add_rewards(Value& row, const std::optional<double>& chosen, const std::optional<double>& rejected,
                 const std::optional<double>& margin) {
  if (chosen) row.set("chosen_reward", *chosen);
  if (rejected) row.set("rejected_reward", *rejected);
  if (margin && !std::isnan(*margin)) row.set("margin", *margin);  // NaN: there is none
}

std::string outside(const ResponseGroup& group, int index) {
  return "a pair of prompt `" + group.prompt.id + "` points at response " + std::to_string(index) +
         "; the prompt has " + std::to_string(group.responses.size()) + " responses and " +
         (group.annotation ? "an annotation" : "no annotation");
}

bool in(const StageRow& row, const std::string& type) {
  if (type == "prompts") return std::holds_alternative<Prompt>(row);
  if (type == "demonstrations" || type == "texts") return std::holds_alternative<Demonstration>(row);
  if (type == "preferences") return std::holds_alternative<Preference>(row);
  if (type == "responses" || type == "scored") return std::holds_alternative<ResponseGroup>(row);
  return type == "pairs" && std::holds_alternative<PairedGroup>(row);
}

std::string wrong_messages(const Conversation& messages, bool ends_with_user) {
  if (messages.empty()) return "it has no message";
  for (const Message& message : messages) {
    if (message.role != "system" && message.role != "user" && message.role != "assistant") {
      return "role `" + message.role + "`; wanted system, user or assistant";
    }
  }
  return ends_with_user && messages.back().role != "user" ? "its prompt must end with a message of the user" : "";
}

std::string wrong(const Prompt& prompt) {
  return prompt.id.empty() ? "it has no id" : wrong_messages(prompt.messages, true);
}
std::string wrong(const Demonstration& shown) {
  return shown.id.empty() ? "it has no id" : wrong_messages(shown.messages, false);
}
std::string wrong(const Preference& preference) {
  return preference.id.empty() ? "it has no id" : wrong(preference.prompt);
}
std::string wrong(const ResponseGroup& group) {
  return wrong(group.prompt);
}
std::string wrong(const PairedGroup& row) {
  if (std::string why = wrong(row.group); !why.empty()) return why;
  const auto count = static_cast<int>(row.group.responses.size());
  for (const Pair& pair : row.pairs) {
    if (pair.prompt_id != row.group.prompt.id) return "it holds a pair of prompt `" + pair.prompt_id + "`";
    for (const int index : {pair.chosen_index, pair.rejected_index}) {
      if (index < 0 || index >= count) return outside(row.group, index);
    }
    if (pair.chosen_index == pair.rejected_index) return "a pair of it names one response twice";
  }
  return {};
}

bool all_scored(const ResponseGroup& group) {
  return std::all_of(group.responses.begin(), group.responses.end(),
                     [](const Response& r) { return r.reward && std::isfinite(*r.reward); });
}

const std::string& id_of(const StageRow& row) {
  struct Id {
    const std::string& operator()(const Prompt& r) const { return r.id; }
    const std::string& operator()(const Demonstration& r) const { return r.id; }
    const std::string& operator()(const Preference& r) const { return r.id; }
    const std::string& operator()(const ResponseGroup& r) const { return r.prompt.id; }
    const std::string& operator()(const PairedGroup& r) const { return r.group.prompt.id; }
  };
  return std::visit(Id{}, row);
}

}  // namespace

Value to_value(const Prompt& prompt) {
  Value row = Value::map({{"prompt_id", prompt.id}, {"prompt", messages_value(prompt.messages)}});
  add_extra(row, prompt.extra);
  return row;
}

Value to_value(const Demonstration& demonstration) {
  Value row = Value::map({{"id", demonstration.id}, {"messages", messages_value(demonstration.messages)}});
  add_extra(row, demonstration.extra);
  return row;
}

Value to_value(const Preference& preference) {
  Value row = Value::map({{"id", preference.id},
                          {"prompt_id", preference.prompt.id},
                          {"prompt", messages_value(preference.prompt.messages)},
                          {"chosen", answer_value(preference.chosen)},
                          {"rejected", answer_value(preference.rejected)}});
  add_rewards(row, preference.chosen_reward, preference.rejected_reward, preference.margin);
  add_extra(row, preference.prompt.extra);
  return row;
}

Value to_value(const ResponseGroup& group) {
  Value row = to_value(group.prompt);
  const auto ids_value = [](const std::vector<TokenId>& ids) {
    Value::List out;
    out.reserve(ids.size());
    for (const TokenId id : ids) out.emplace_back(id);
    return out;
  };
  Value::List responses;
  for (const Response& response : group.responses) {
    Value item = Value::map({{"text", response.text},
                             {"ids", ids_value(response.ids)},
                             {"finish", response.finish == FinishReason::stop ? "stop" : "length"}});
    if (response.reward) item.set("reward", *response.reward);
    responses.push_back(std::move(item));
  }
  row.set("prompt_ids", ids_value(group.prompt_ids));
  row.set("responses", std::move(responses));
  // A prompt's own column of this name would be taken for the group's.
  std::erase_if(row.as_map(), [](const auto& entry) { return entry.key == "annotation"; });
  if (group.annotation) row.set("annotation", to_value(*group.annotation));
  return row;
}

Value to_value(const Pair& pair, const ResponseGroup& group) {
  const auto text = [&](int index, bool chosen) -> const std::string& {
    if (index == PairChoice::annotated && group.annotation) {
      return chosen ? group.annotation->chosen : group.annotation->rejected;
    }
    if (index < 0 || static_cast<std::size_t>(index) >= group.responses.size()) {
      throw Error(ErrorCode::run_failed, outside(group, index));
    }
    return group.responses[static_cast<std::size_t>(index)].text;
  };
  Value row = Value::map({{"prompt_id", group.prompt.id},
                          {"prompt", messages_value(group.prompt.messages)},
                          {"chosen", answer_value(text(pair.chosen_index, true))},
                          {"rejected", answer_value(text(pair.rejected_index, false))}});
  add_rewards(row, pair.chosen_reward, pair.rejected_reward, pair.margin);
  row.set("chosen_index", pair.chosen_index);
  row.set("rejected_index", pair.rejected_index);
  return row;
}

Value to_value(const PairedGroup& row) {
  Value::List pairs;
  for (const Pair& pair : row.pairs) pairs.push_back(to_value(pair, row.group));
  return Value::map({{"group", to_value(row.group)}, {"pairs", std::move(pairs)}});
}

Value to_value(const StageRow& row) {
  return std::visit([](const auto& record) { return to_value(record); }, row);
}

const std::vector<std::string>& row_types() {
  static const std::vector<std::string> types{"prompts",   "texts",  "demonstrations", "preferences",
                                              "responses", "scored", "pairs"};
  return types;
}

std::string wrong_row(const std::string& type, const StageRow& row) {
  if (!in(row, type)) return "it is no row of " + type;
  std::string why = std::visit([](const auto& record) { return wrong(record); }, row);
  if (why.empty() && type == "scored" && !all_scored(std::get<ResponseGroup>(row))) {
    why = "a response has no reward, or one that is not finite";
  }
  return why.empty() ? why : "row `" + id_of(row) + "`: " + why;
}

std::vector<std::string> row_files(const std::string& type) {
  if (type == "pairs") return {"responses.jsonl", "pairs.jsonl"};
  if (type == "responses" || type == "scored") return {"responses.jsonl"};
  return {(type == "texts" ? "demonstrations" : type) + ".jsonl"};
}

void each_line(const std::string& type, const Value& row,
               const std::function<void(const std::string& file, const Value& line)>& line) {
  if (type != "pairs") return line(row_files(type).front(), row);
  line("responses.jsonl", row.at("group"));
  for (const Value& pair : row.at("pairs").as_list()) line("pairs.jsonl", pair);
}

}  // namespace v1
}  // namespace plumb
