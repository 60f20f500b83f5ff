// Stage `dataset`: the rows of a data source, converted, shuffled and cut, as one file of records.
//
// Output: prompts.jsonl, demonstrations.jsonl (also of texts: one message of the assistant each) or preferences.jsonl.
// A prompt made of a preference keeps it as `annotation: {chosen, rejected}` among its extra columns.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "framework/artifacts/records_file.h"
#include "framework/registry/registry.h"
#include "framework/stages/bodies.h"
#include "framework/stages/settings.h"
#include "plumb/data_source.h"

namespace plumb {
namespace {

std::string type_of(const Record& record) {
  return std::holds_alternative<Prompt>(record)       ? artifact_type::prompts
         : std::holds_alternative<Preference>(record) ? artifact_type::preferences
                                                      : artifact_type::demonstrations;
}

Value row_of(const Record& record) {
  return std::visit([](const auto& row) { return to_value(row); }, record);
}

// --- conversion: `as`
// ---------------------------------------------------------------------------------------------------

Demonstration text_of(std::string id, const Conversation& messages) {
  std::string text;
  for (const Message& message : messages) text += (text.empty() ? "" : "\n") + message.content;
  return {std::move(id), {{"assistant", std::move(text)}}, {}};
}

Prompt prompt_of(const Preference& row) {
  Prompt prompt = row.prompt;
  if (prompt.extra.is_null()) prompt.extra = Value::map();
  prompt.extra.set("annotation", Value::map({{"chosen", row.chosen}, {"rejected", row.rejected}}));
  return prompt;
}

// Up to the last message of the user; what was answered stays as `reference`.
Prompt prompt_of(const Demonstration& row) {
  Prompt prompt{row.id, row.messages, row.extra};
  const auto last = std::find_if(prompt.messages.rbegin(), prompt.messages.rend(),
                                 [](const Message& message) { return message.role == "user"; });
  if (last == prompt.messages.rend()) {
    throw Error(ErrorCode::data,
                fmt::format("demonstration {} has no message of the user, so no prompt can be made of it", row.id));
  }
  if (last != prompt.messages.rbegin()) {
    if (prompt.extra.is_null()) prompt.extra = Value::map();
    prompt.extra.set("reference", std::prev(last)->content);
  }
  prompt.messages.erase(last.base(), prompt.messages.end());
  return prompt;
}

Record converted(Record record, const std::string& as) {
  if (as.empty() || type_of(record) == as) return record;
  if (auto* row = std::get_if<Preference>(&record)) {
    Conversation whole = row->prompt.messages;
    whole.push_back({"assistant", row->chosen});
    if (as == artifact_type::prompts) return prompt_of(*row);
    if (as == artifact_type::texts) return text_of(row->id, whole);
    if (as == artifact_type::demonstrations) return Demonstration{row->id, std::move(whole), {}};
  } else if (auto* shown = std::get_if<Demonstration>(&record)) {
    if (as == artifact_type::prompts) return prompt_of(*shown);
    if (as == artifact_type::texts) return text_of(shown->id, shown->messages);
  }
  throw Error(ErrorCode::recipe, fmt::format("the source yields {}, which cannot become {}", type_of(record), as));
}

// --- checks: what every later stage relies on
// ---------------------------------------------------------------------------

void require(bool holds, const std::string& id, const char* what) {
  if (!holds)
    throw Error(ErrorCode::data, fmt::format("row {} of the data source {}", id.empty() ? "without an id" : id, what));
}

void check(const std::string& id, const Conversation& messages, const char* last_role) {
  require(!id.empty(), id, "has no id");
  require(!messages.empty(), id, "has no messages");
  for (const Message& message : messages) {
    require(message.role == "system" || message.role == "user" || message.role == "assistant", id,
            "has a message from neither system, user nor assistant");
  }
  require(last_role == nullptr || messages.back().role == last_role, id,
          last_role == nullptr || messages.back().role == "user" ? "does not end with an answer"
                                                                 : "does not end with the user");
}

void check(const Record& record) {
  if (const auto* prompt = std::get_if<Prompt>(&record)) {
    check(prompt->id, prompt->messages, "user");
  } else if (const auto* row = std::get_if<Demonstration>(&record)) {
    check(row->id, row->messages, "assistant");
  } else {
    const auto& pair = std::get<Preference>(record);
    require(!pair.id.empty(), pair.id, "has no id");
    check(pair.prompt.id, pair.prompt.messages, "user");
    require(!pair.chosen.empty() && !pair.rejected.empty(), pair.id, "has an empty answer");
  }
}

// --- ids
// ----------------------------------------------------------------------------------------------------------------

// Keeps ids unique. A row that comes twice is left out; rows that differ under one id get a suffix made of their
// content, so that it does not depend on their order.
class Ids {
 public:
  // False: the row has been there before.
  bool admit(Record& record) {
    if (auto* pair = std::get_if<Preference>(&record)) {
      // Several preferences may share a prompt, but not two prompts an id.
      const Prompt prompt = pair->prompt;
      claim(prompts_, pair->prompt.id, to_json(to_value(prompt).at("prompt")));
      return claim(rows_, pair->id, to_json(to_value(*pair), true));
    }
    std::string& id =
        std::holds_alternative<Prompt>(record) ? std::get<Prompt>(record).id : std::get<Demonstration>(record).id;
    return claim(rows_, id, to_json(row_of(record).at(std::holds_alternative<Prompt>(record) ? "prompt" : "messages")));
  }
  [[nodiscard]] std::size_t renamed() const { return renamed_; }

 private:
  using Known = std::unordered_map<std::string, std::uint64_t>;  // id -> content

  bool claim(Known& known, std::string& id, const std::string& content) {
    const std::uint64_t key = Random(0).derive(content).key();
    auto [place, fresh] = known.try_emplace(id, key);
    if (fresh) return true;
    if (place->second == key) return false;
    id = fmt::format("{}~{:016x}", id, key);
    const bool added = known.try_emplace(id, key).second;
    renamed_ += added ? 1 : 0;
    return added;
  }

  Known rows_, prompts_;
  std::size_t renamed_ = 0;
};

const char* file_of(const std::string& type) {
  if (type == artifact_type::prompts) return "prompts.jsonl";
  return type == artifact_type::preferences ? "preferences.jsonl" : "demonstrations.jsonl";
}

struct Rows {
  std::vector<Record> rows;
  std::size_t read = 0;
  std::map<std::string, std::size_t> skipped;
};

// Reads until the end, or until there are as many rows as are asked for when their order is the source's.
Rows read_rows(StageContext& context, DataSource& source, const DatasetSettings& settings) {
  const std::size_t enough = settings.limit > 0 && !settings.shuffle
                                 ? static_cast<std::size_t>(settings.skip + settings.limit)
                                 : std::numeric_limits<std::size_t>::max();
  Rows out;
  Ids ids;
  const std::string component = "data-source " + settings.source.name;
  while (out.rows.size() < enough) {
    if (context.cancelled()) throw Cancelled{};
    std::optional<Record> record = guarded(component, context.name(), [&] { return source.next(); });
    if (!record) break;
    context.progress("rows", ++out.read, 0);
    Record row = converted(std::move(*record), settings.as.value_or(""));
    check(row);
    if (ids.admit(row)) {
      out.rows.push_back(std::move(row));
    } else {
      ++out.skipped[settings.as == artifact_type::prompts ? "same prompt" : "same row"];
    }
  }
  for (const auto& [reason, count] : source.skipped()) out.skipped[reason] += count;
  if (ids.renamed() > 0) {
    context.log(LogLevel::warning,
                fmt::format("{} rows share an id with another row; a suffix tells them apart", ids.renamed()));
  }
  return out;
}

}  // namespace

void run_dataset(StageContext& context) {
  const DatasetSettings settings = dataset_params().parse(context.params());
  const auto source = context.registry().make<DataSource>(settings.source.name, settings.source.params, context);
  Rows data = read_rows(context, *source, settings);

  // The draw depends on the run's seed alone, so that two datasets of one source with different `skip` stay disjoint.
  if (settings.shuffle) context.random().derive("dataset shuffle").shuffle(data.rows);
  const std::size_t total = data.rows.size();
  const std::size_t begin = std::min(total, static_cast<std::size_t>(settings.skip));
  const std::size_t left = total - begin;
  const std::size_t count = settings.limit > 0 ? std::min(left, static_cast<std::size_t>(settings.limit)) : left;
  if (count == 0) {
    std::string reasons;
    for (const auto& [reason, number] : data.skipped) reasons += fmt::format(", {} left out ({})", number, reason);
    throw Error(ErrorCode::data,
                fmt::format("no row is left: the source gave {}{}, and `skip` is {}", total, reasons, settings.skip));
  }
  if (settings.limit > 0 && count < static_cast<std::size_t>(settings.limit)) {
    context.log(LogLevel::warning, fmt::format("`limit` is {}, but only {} rows are left", settings.limit, count));
  }

  const std::string type = type_of(data.rows[begin]);
  RowWriter writer(context.folder() / file_of(type));
  for (std::size_t i = begin; i < begin + count; ++i) writer.write(row_of(data.rows[i]));
  writer.flush();

  context.summarise("rows", static_cast<std::int64_t>(count));
  context.summarise("read", static_cast<std::int64_t>(data.read));
  Value skipped = Value::map();
  for (const auto& [reason, number] : data.skipped) skipped.set(reason, static_cast<std::int64_t>(number));
  context.summarise("skipped", skipped);
}

}  // namespace plumb
