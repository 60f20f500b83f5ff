// Kind `dataset`: the rows of a data source, converted, shuffled and cut, as one file of records.
//
// Output: prompts.jsonl, demonstrations.jsonl (also of texts: one message of the assistant each) or preferences.jsonl.
// A prompt made of a preference keeps it as `annotation: {chosen, rejected}` among its extra columns (prompts.h).
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "framework/core/artifacts/prompts.h"
#include "framework/core/artifacts/records_file.h"
#include "framework/core/catalogue/declared.h"
#include "framework/core/components/make.h"
#include "plumb/data_source.h"
#include "plumb/json_rows.h"

namespace plumb {
namespace {

namespace type = artifact_type;

struct DatasetSettings {          // datasets.NAME
  ComponentRef source;            // data-source
  std::int64_t limit = 0;         // first rows after the shuffle; 0: all
  std::int64_t skip = 0;          // rows left out before the limit: disjoint splits of one source
  bool shuffle = false;           // by the run's seed
  std::string count_by = "rows";  // what skip, limit and shuffle move: "rows", or "prompts" with all their rows
  std::optional<std::string> as;  // convert the rows: "prompts", "texts" or "demonstrations"; absent: as yielded
};

Declared<DatasetSettings> declare_dataset() {
  Declared<DatasetSettings> d{"rows of a data source, as one file of records"};
  auto& p = d.params;
  p.add(&DatasetSettings::source, "source", "where the rows come from").component("data-source").required();
  p.add(&DatasetSettings::as, "as",
        "another type of row made of each: the prompt of a preference or demonstration, the chosen answer of a "
        "preference "
        "as a demonstration, the plain text")
      .choices({type::prompts, type::demonstrations, type::texts});
  p.add(&DatasetSettings::shuffle, "shuffle", "shuffle by the run's seed before skip and limit");
  p.add(&DatasetSettings::count_by, "count_by",
        "what shuffle, skip and limit count: rows; or prompts, each with all its rows, so that disjoint parts of one "
        "source share no prompt")
      .choices({"rows", "prompts"});
  p.add(&DatasetSettings::skip, "skip", "rows (or prompts) left out at the start, for disjoint parts of one source")
      .at_least(0);
  p.add(&DatasetSettings::limit, "limit", "rows (or prompts) kept after those; 0 keeps all").at_least(0);
  d.rule([](const DatasetSettings& s) -> std::string {
    const bool counts = s.shuffle || s.skip > 0 || s.limit > 0;
    return counts || s.count_by == "rows" ? "" : "count_by: has no effect without shuffle, skip or limit";
  });
  return d;
}

std::string type_of(const Record& record) {
  return std::holds_alternative<Prompt>(record)       ? artifact_type::prompts
         : std::holds_alternative<Preference>(record) ? artifact_type::preferences
                                                      : artifact_type::demonstrations;
}

Value row_of(const Record& record) {
  return std::visit([](const auto& row) { return to_value(row); }, record);
}

Demonstration text_of(std::string id, const Conversation& messages) {
  std::string text;
  for (const Message& message : messages) text += (text.empty() ? "" : "\n") + message.content;
  return {std::move(id), {{"assistant", std::move(text)}}, {}};
}

// What was answered stays as `reference`.
std::optional<Record> prompt_of(const Demonstration& row) {
  std::optional<Prompt> prompt = asked_prompt(row);
  if (!prompt) return std::nullopt;
  if (prompt->messages.size() < row.messages.size()) {
    if (prompt->extra.is_null()) prompt->extra = Value::map();
    prompt->extra.set("reference", row.messages[prompt->messages.size()].content);
  }
  return std::move(*prompt);
}

// Nothing for a row that has no such part.
std::optional<Record> converted(Record record, const std::string& as) {
  if (as.empty() || type_of(record) == as) return record;
  if (auto* row = std::get_if<Preference>(&record)) {
    Conversation whole = row->prompt.messages;
    whole.push_back({"assistant", row->chosen});
    if (as == artifact_type::prompts) return annotated_prompt(*row);
    if (as == artifact_type::texts) return text_of(row->id, whole);
    if (as == artifact_type::demonstrations) return Demonstration{row->id, std::move(whole), {}};
  } else if (auto* shown = std::get_if<Demonstration>(&record)) {
    if (as == artifact_type::prompts) return prompt_of(*shown);
    if (as == artifact_type::texts) return text_of(shown->id, shown->messages);
  }
  throw Error(ErrorCode::recipe, fmt::format("the source yields {}, which cannot become {}", type_of(record), as));
}

// What every later stage relies on.
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

struct Rows {
  std::vector<Record> rows;
  std::size_t read = 0;
  RowAccount account;
};

// Reads until the end, or until there are as many rows as are asked for when their order is the source's.
Rows read_rows(StageContext& context, const Made<DataSource>& source, const DatasetSettings& settings) {
  const bool all = settings.limit == 0 || settings.shuffle || settings.count_by != "rows";
  const std::size_t enough =
      all ? std::numeric_limits<std::size_t>::max() : static_cast<std::size_t>(settings.skip + settings.limit);
  Rows out;
  Ids ids;
  std::int64_t repeated = 0, without_prompt = 0;
  while (out.rows.size() < enough) {
    if (context.cancelled()) throw Cancelled{};
    std::optional<Record> record = source.call(&DataSource::next);
    if (!record) break;
    context.progress("rows", ++out.read, 0);
    std::optional<Record> row = converted(std::move(*record), settings.as.value_or(""));
    if (!row) {
      ++without_prompt;
      continue;
    }
    check(*row);
    if (ids.admit(*row)) {
      out.rows.push_back(std::move(*row));
    } else {
      ++repeated;
    }
  }
  out.account.add(source.call(&DataSource::skipped), out.read);
  const auto read = static_cast<std::int64_t>(out.read);
  const bool prompts = settings.as == artifact_type::prompts;
  out.account.add(
      {.count = repeated, .of = read, .reason = prompts ? "the same prompt came before" : "the same row came before"});
  out.account.add({.count = without_prompt, .of = read, .reason = "no message of the user, so no prompt"});
  out.account.add({.what = "renamed",
                   .count = static_cast<std::int64_t>(ids.renamed()),
                   .of = read,
                   .reason = "another row or prompt has the same id; a suffix made of the content tells them apart"});
  return out;
}

// What limit and skip count: rows, or the rows of one prompt together.
using Parts = std::vector<std::vector<std::size_t>>;

std::string prompt_key(const Record& record) {
  if (const auto* pair = std::get_if<Preference>(&record)) return content_id(pair->prompt.messages);
  if (const auto* prompt = std::get_if<Prompt>(&record)) return content_id(prompt->messages);
  const Conversation& said = std::get<Demonstration>(record).messages;
  return content_id(prompt_messages(said).value_or(said));
}

Parts parts_of(const std::vector<Record>& rows, bool by_prompt) {
  Parts parts;
  std::unordered_map<std::string, std::size_t> part_of;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::size_t part = parts.size();
    if (by_prompt) part = part_of.try_emplace(prompt_key(rows[i]), part).first->second;
    if (part == parts.size()) parts.emplace_back();
    parts[part].push_back(i);
  }
  return parts;
}

void run(StageContext& context) {
  const DatasetSettings settings = declare_dataset().with_rules().parse(context.params());
  const auto source = make<DataSource>(context, settings.source);
  Rows data = read_rows(context, source, settings);

  // The draw depends on the run's seed alone, so that two datasets of one source with different `skip` stay disjoint.
  const bool by_prompt = settings.count_by == "prompts";
  const char* unit = by_prompt ? "prompts" : "rows";
  Parts parts = parts_of(data.rows, by_prompt);
  if (settings.shuffle) context.random().derive("dataset shuffle").shuffle(parts);
  const std::size_t total = parts.size();
  const std::size_t begin = std::min(total, static_cast<std::size_t>(settings.skip));
  const std::size_t left = total - begin;
  const std::size_t count = settings.limit > 0 ? std::min(left, static_cast<std::size_t>(settings.limit)) : left;
  if (count == 0) {
    throw Error(ErrorCode::data, fmt::format("no row is left: the source gave {} {}, and `skip` is {}{}{}", total, unit,
                                             settings.skip, data.account.empty() ? "" : "; ", data.account.line()));
  }
  if (settings.limit > 0 && count < static_cast<std::size_t>(settings.limit)) {
    context.log(LogLevel::warning, fmt::format("`limit` is {}, but only {} {} are left", settings.limit, count, unit));
  }

  const std::string type = type_of(data.rows[parts[begin].front()]);
  RowWriter writer(context.folder() / row_files(type).front());
  std::int64_t rows = 0;
  for (std::size_t part = begin; part < begin + count; ++part) {
    for (const std::size_t i : parts[part]) writer.write(row_of(data.rows[i]));
    rows += static_cast<std::int64_t>(parts[part].size());
  }
  writer.flush();

  context.summarise("rows", rows);
  if (by_prompt) context.summarise("prompts", static_cast<std::int64_t>(count));
  context.summarise("read", static_cast<std::int64_t>(data.read));
  context.account(data.account);
}

// Rows that the settings tell: the limit, or the count that some sources have, without those that are passed over.
std::optional<std::int64_t> rows_told(const Value& params) {
  const auto integer = [](const Value* value) {
    return value != nullptr && value->type() == Value::Type::integer ? value->as_int() : 0;
  };
  if (const std::int64_t limit = integer(params.find("limit")); limit > 0) return limit;
  const Value* source = params.find("source");
  const std::int64_t count = source != nullptr && source->is_map() ? integer(source->find("count")) : 0;
  return count > 0 ? std::optional(count - integer(params.find("skip"))) : std::nullopt;
}

StageKind make_kind() {
  StageKind kind = declare_dataset().kind("dataset", "*", "source");
  kind.section = "datasets";
  kind.uses_seed = [](const Value& params) { return params.at("shuffle").as_bool(); };
  kind.rows = rows_told;
  kind.body = run;
  return kind;
}

const KindRegistration registered(10, make_kind);

}  // namespace

}  // namespace plumb
