#include "framework/core/artifacts/records_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
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
class ReadRow {
 public:
  ReadRow(const Value& row, const std::string& where) : row_(row), where_(where) {
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
      const ReadRow message(item, where_);
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
    return read(ReadRow(row, where));
  } catch (const Error& error) {
    return error;
  }
}

Prompt prompt_of(const ReadRow& row, Columns known) {
  Prompt prompt{row.text("prompt_id"), row.messages("prompt"), row.extra(known)};
  if (prompt.messages.back().role != "user") {
    row.fail(row.at("prompt"), "`prompt` must end with a message of the user");
  }
  return prompt;
}

Preference preference_of(const ReadRow& row) {
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

Response response_of(const ReadRow& row) {
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

Result<Prompt> prompt_from(const Value& row, const std::string& where) {
  return reading<Prompt>(row, where, [](const ReadRow& r) { return prompt_of(r, prompt_columns); });
}

Result<Demonstration> demonstration_from(const Value& row, const std::string& where) {
  return reading<Demonstration>(row, where, [](const ReadRow& r) {
    return Demonstration{r.text("id"), r.messages("messages"), r.extra(demonstration_columns)};
  });
}

Result<Preference> preference_from(const Value& row, const std::string& where) {
  return reading<Preference>(row, where, preference_of);
}

Result<ResponseGroup> group_from(const Value& row, const std::string& where) {
  return reading<ResponseGroup>(row, where, [&](const ReadRow& r) {
    ResponseGroup group;
    group.prompt = prompt_of(r, group_columns);
    group.prompt_ids = r.ids("prompt_ids");
    for (const Value& item : r.list("responses")) group.responses.push_back(response_of(ReadRow(item, where)));
    if (const Value* annotation = row.find("annotation"); annotation != nullptr && !annotation->is_null()) {
      group.annotation = preference_of(ReadRow(*annotation, where));
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
