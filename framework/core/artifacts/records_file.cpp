#include "framework/core/artifacts/records_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <span>

namespace plumb {
namespace fs = std::filesystem;

namespace {

using Columns = std::span<const std::string_view>;
constexpr auto prompt_columns = std::to_array<std::string_view>({"prompt_id", "prompt"});
constexpr auto demonstration_columns = std::to_array<std::string_view>({"id", "messages"});
constexpr auto preference_columns = std::to_array<std::string_view>(
    {"id", "prompt_id", "prompt", "chosen", "rejected", "chosen_reward", "rejected_reward", "margin"});
constexpr auto group_columns =
    std::to_array<std::string_view>({"prompt_id", "prompt", "prompt_ids", "responses", "annotation"});

// Reads the columns of one row; what is missing or of another type becomes an Error that names its place.
class Row {
 public:
  Row(const Value& row, const std::string& where) : row_(row), where_(where) {
    if (!row.is_map()) fail(row, fmt::format("found a {}, wanted a row: {{\"column\": value, …}}", row.type_name()));
  }

  [[nodiscard]] const Value& at(std::string_view column) const {
    const Value* value = row_.find(column);
    if (value == nullptr) fail(row_, fmt::format("column `{}` is missing; the row has {}", column, columns()));
    return *value;
  }

  [[nodiscard]] std::string text(std::string_view column) const {
    const Value& value = at(column);
    want(value, Value::Type::string, column, "a text");
    return value.as_string();
  }

  [[nodiscard]] std::string text_or(std::string_view column, const std::string& otherwise) const {
    return row_.find(column) == nullptr ? otherwise : text(column);
  }

  [[nodiscard]] std::optional<double> number(std::string_view column) const {
    const Value* value = row_.find(column);
    if (value == nullptr || value->is_null()) return std::nullopt;
    if (value->type() != Value::Type::integer) want(*value, Value::Type::real, column, "a number");
    return value->as_double();
  }

  [[nodiscard]] int index(std::string_view column) const {
    const Value& value = at(column);
    want(value, Value::Type::integer, column, "an index");
    return static_cast<int>(value.as_int());
  }

  [[nodiscard]] const Value::List& list(std::string_view column) const {
    const Value& value = at(column);
    want(value, Value::Type::list, column, "a list");
    return value.as_list();
  }

  [[nodiscard]] Conversation messages(std::string_view column) const {
    Conversation out;
    for (const Value& item : list(column)) {
      const Row message(item, where_);
      const std::string role = message.text("role");
      if (role != "system" && role != "user" && role != "assistant") {
        fail(message.at("role"), fmt::format("role `{}`; wanted system, user or assistant", role));
      }
      out.push_back({role, message.text("content")});
    }
    if (out.empty()) fail(at(column), fmt::format("`{}` holds no message", column));
    return out;
  }

  // An answer: [{role: assistant, content}].
  [[nodiscard]] std::string answer(std::string_view column) const {
    const Conversation said = messages(column);
    if (said.size() != 1 || said.front().role != "assistant") {
      fail(at(column), fmt::format("`{}` must be one message of the assistant", column));
    }
    return said.front().content;
  }

  [[nodiscard]] std::vector<TokenId> ids(std::string_view column) const {
    std::vector<TokenId> out;
    const Value* value = row_.find(column);
    if (value == nullptr) return out;
    for (const Value& id : list(column)) {
      if (id.type() != Value::Type::integer || id.as_int() < 0 || id.as_int() > INT32_MAX) {
        fail(id, fmt::format("`{}` holds {}, which is no token id", column, to_json(id)));
      }
      out.push_back(static_cast<TokenId>(id.as_int()));
    }
    return out;
  }

  // The columns that are not among `known`.
  [[nodiscard]] Value extra(Columns known) const {
    Value out;
    for (const auto& [key, value] : row_.as_map()) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      if (out.is_null()) out = Value::map();
      out.set(key, value);
    }
    return out;
  }

  [[noreturn]] void fail(const Value& at, const std::string& message) const {
    throw Error(ErrorCode::data, fmt::format("{}:{}: {}", where_, at.mark.column > 0 ? at.mark.column : 1, message));
  }

 private:
  void want(const Value& value, Value::Type type, std::string_view column, const char* wanted) const {
    if (value.type() != type) {
      fail(value, fmt::format("`{}` is of type {}, wanted {}", column, value.type_name(), wanted));
    }
  }

  [[nodiscard]] std::string columns() const {
    std::string out;
    for (const auto& entry : row_.as_map()) out += fmt::format("{}`{}`", out.empty() ? "" : ", ", entry.key);
    return out.empty() ? "none" : out;
  }

  const Value& row_;
  const std::string& where_;
};

template <class T, class Read>
Result<T> reading(const Value& row, const std::string& where, Read&& read) {
  try {
    return read(Row(row, where));
  } catch (const Error& error) {
    return error;
  }
}

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

Prompt prompt_of(const Row& row, Columns known) {
  Prompt prompt{row.text("prompt_id"), row.messages("prompt"), row.extra(known)};
  if (prompt.messages.back().role != "user") {
    row.fail(row.at("prompt"), "`prompt` must end with a message of the user");
  }
  return prompt;
}

Preference preference_of(const Row& row) {
  Preference out;
  out.prompt = prompt_of(row, preference_columns);
  out.id = row.text_or("id", out.prompt.id);
  out.chosen = row.answer("chosen");
  out.rejected = row.answer("rejected");
  out.chosen_reward = row.number("chosen_reward");
  out.rejected_reward = row.number("rejected_reward");
  out.margin = row.number("margin");
  return out;
}

Response response_of(const Row& row) {
  Response out;
  out.text = row.text("text");
  out.ids = row.ids("ids");
  const std::string finish = row.text_or("finish", "stop");
  if (finish != "stop" && finish != "length") {
    row.fail(row.at("finish"), fmt::format("`finish` is `{}`, wanted stop or length", finish));
  }
  out.finish = finish == "stop" ? FinishReason::stop : FinishReason::length;
  out.reward = row.number("reward");
  return out;
}

template <class T, class From>
Result<std::vector<T>> read_rows(const fs::path& file, From&& from) {
  std::vector<T> rows;
  Result<void> read = for_each_row(file, [&](const Value& row, const std::string& where) -> Result<void> {
    Result<T> item = from(row, where);
    if (!item) return item.error();
    rows.push_back(std::move(*item));
    return {};
  });
  if (!read) return read.error();
  return rows;
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
      throw Error(ErrorCode::run_failed,
                  fmt::format("a pair of prompt `{}` points at response {}; the prompt has {} responses and {}",
                              group.prompt.id, index, group.responses.size(),
                              group.annotation ? "an annotation" : "no annotation"));
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

Result<Prompt> prompt_from(const Value& row, const std::string& where) {
  return reading<Prompt>(row, where, [](const Row& r) { return prompt_of(r, prompt_columns); });
}

Result<Demonstration> demonstration_from(const Value& row, const std::string& where) {
  return reading<Demonstration>(row, where, [](const Row& r) {
    return Demonstration{r.text("id"), r.messages("messages"), r.extra(demonstration_columns)};
  });
}

Result<Preference> preference_from(const Value& row, const std::string& where) {
  return reading<Preference>(row, where, preference_of);
}

Result<ResponseGroup> group_from(const Value& row, const std::string& where) {
  return reading<ResponseGroup>(row, where, [&](const Row& r) {
    ResponseGroup group;
    group.prompt = prompt_of(r, group_columns);
    group.prompt_ids = r.ids("prompt_ids");
    for (const Value& item : r.list("responses")) group.responses.push_back(response_of(Row(item, where)));
    if (const Value* annotation = row.find("annotation"); annotation != nullptr && !annotation->is_null()) {
      group.annotation = preference_of(Row(*annotation, where));
    }
    return group;
  });
}

Result<std::vector<Prompt>> read_prompts(const fs::path& file) {
  return read_rows<Prompt>(file, prompt_from);
}

Result<std::vector<Demonstration>> read_demonstrations(const fs::path& file) {
  return read_rows<Demonstration>(file, demonstration_from);
}

Result<std::vector<Preference>> read_preferences(const fs::path& file) {
  return read_rows<Preference>(file, preference_from);
}

Result<std::vector<ResponseGroup>> read_groups(const fs::path& file) {
  return read_rows<ResponseGroup>(file, group_from);
}

Result<void> for_each_row(const fs::path& file,
                          const std::function<Result<void>(const Value&, const std::string&)>& row) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return disk_error("open", file, errno);
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    try {
      Result<void> taken = row(parse_json(line, file.string(), number), fmt::format("{}:{}", file.string(), number));
      if (!taken) return taken;
    } catch (const Error& error) {
      return error;
    }
  }
  if (in.bad()) return disk_error("read", file, errno);
  return {};
}

}  // namespace plumb
