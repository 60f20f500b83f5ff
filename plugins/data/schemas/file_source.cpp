#include "file_source.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "plumb/error.h"
#include "plumb/json_rows.h"
#include "plumb/random.h"
#include "plumb/utf8.h"

namespace plumb::files {
namespace {

constexpr const char* kCalls = "tool calls";  // stands for the role of a message that is no text

// Why a conversation is of no use, or null: an optional system message, then user and assistant by turns.
const char* fault(const Conversation& messages, const char* last_role) {
  if (messages.empty()) return "no message";
  bool user_next = true;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (i == 0 && messages[i].role == "system") continue;  // an empty one says nothing, but does no harm
    const std::string& role = messages[i].role;
    if (role == kCalls) return "tool calls";
    if (role != "user" && role != "assistant" && role != "system") return "a role other than system, user, assistant";
    if (strip(messages[i].content).empty()) return "empty message";
    if (messages[i].role != (user_next ? "user" : "assistant")) return "turns out of order";
    user_next = !user_next;
  }
  if (user_next && messages.back().role == "system") return "no message of the user";
  if (messages.back().role == last_role) return nullptr;
  return messages.back().role == "user" ? "no answer" : "turns out of order";
}

std::string role_of(const std::string& name) {
  if (name == "human" || name == "prompter") return "user";
  if (name == "gpt" || name == "model" || name == "chatgpt") return "assistant";
  return name;
}

void drop_empty_system(Conversation& messages) {
  if (!messages.empty() && messages.front().role == "system" && strip(messages.front().content).empty()) {
    messages.erase(messages.begin());
  }
}

}  // namespace

Params<FileSettings> file_params() {
  Params<FileSettings> p = path_params();
  p.add(&FileSettings::malformed, "malformed", "what a row that cannot be read does: stop, or skip and be counted")
      .choices({"stop", "skip"});
  p.add(&FileSettings::deduplicate, "deduplicate",
        "leave out rows that were there before, whatever their id; false keeps them, under ids of their own");
  return p;
}

FileSource::FileSource(const FileSettings& settings, Host& host)
    : settings_(settings),
      host_(host),
      files_(row_files((std::filesystem::path(host.recipe_folder()) / settings.path).string(), settings)) {
  cure("duplicate", "deduplicate: false keeps them");
}

std::optional<Record> FileSource::next() {
  while (ready_.empty()) {
    if (file_ == files_.size()) return std::nullopt;
    read_more();
    if (file_ == files_.size()) tell();
  }
  Record record = std::move(ready_.front());
  ready_.pop_front();
  return record;
}

void FileSource::read_more() {
  if (!rows_) rows_ = open_rows(files_[file_]);
  try {
    if (const std::optional<Value> row = rows_->next()) {
      place_ = rows_->fields().where(*row);
      read(*row, rows_->fields());
      return;
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::data || settings_.malformed == "stop" || rows_->broken()) throw;
    place_ = error.what();
    leave_out("malformed");
    return;
  }
  finish_file(rows_->fields());
  rows_.reset();
  ++file_;
}

void FileSource::leave_out(const std::string& reason, std::size_t count) {
  skipped_[reason] += count;
  first_.try_emplace(reason, place_);
}

void FileSource::cut(const std::string& reason) {
  leave_out("cut: " + reason);
}

void FileSource::cure(const std::string& reason, const std::string& cure) {
  cures_.try_emplace(reason, cure);
}

std::map<std::string, std::size_t> FileSource::skipped() const {
  std::map<std::string, std::size_t> out;
  for (const auto& [reason, count] : skipped_) {
    const auto known = cures_.find(reason);
    out[known == cures_.end() ? reason : reason + "; " + known->second] += count;
  }
  return out;
}

// Where to look at rows that somebody should look at. The other reasons are in the nature of the data or were asked for.
void FileSource::tell() {
  static const std::set<std::string> plain{"duplicate", "tied", "identical pair", "another language"};
  for (const auto& [reason, place] : first_) {
    if (plain.contains(reason) || reason.starts_with("not among")) continue;
    if (cures_.contains(reason) && reason != "no answer") continue;
    const bool kept = reason.starts_with("cut: ");
    host_.log(LogLevel::warning,
              (kept ? "first row that is cut (" + reason.substr(5) : "first row left out (" + reason) + "): " + place);
  }
}

bool FileSource::first_time(const Conversation& messages, const std::string& chosen, const std::string& rejected) {
  content_ = Random(0).derive(content_id(messages)).derive(chosen).derive(rejected).key();
  if (!settings_.deduplicate || seen_.insert(content_).second) return true;
  leave_out("duplicate");
  return false;
}

void FileSource::tell_apart(std::string& id) {
  if (settings_.deduplicate) return;
  const std::size_t times = ++times_[Random(content_).derive(id).key()];
  if (times > 1) id += "~" + std::to_string(times);
}

bool FileSource::admit(const Conversation& messages, const char* last_role) {
  const char* why = fault(messages, last_role);
  if (why != nullptr) leave_out(why);
  return why == nullptr;
}

bool FileSource::emit(Prompt row) {
  drop_empty_system(row.messages);
  if (!admit(row.messages, "user") || !first_time(row.messages)) return false;
  if (row.id.empty()) row.id = content_id(row.messages);
  tell_apart(row.id);
  ready_.emplace_back(std::move(row));
  return true;
}

bool FileSource::emit(Demonstration row) {
  drop_empty_system(row.messages);
  if (!admit(row.messages, "assistant") || !first_time(row.messages)) return false;
  if (row.id.empty()) row.id = content_id(row.messages);
  tell_apart(row.id);
  ready_.emplace_back(std::move(row));
  return true;
}

bool FileSource::emit(Preference row) {
  drop_empty_system(row.prompt.messages);
  if (!admit(row.prompt.messages, "user")) return false;
  const std::string_view chosen = strip(row.chosen), rejected = strip(row.rejected);
  const char* why = chosen.empty() || rejected.empty() ? "empty answer"
                    : chosen == rejected               ? "identical pair"
                                                       : nullptr;
  if (why != nullptr) leave_out(why);
  if (why != nullptr || !first_time(row.prompt.messages, row.chosen, row.rejected)) return false;
  if (row.prompt.id.empty()) row.prompt.id = content_id(row.prompt.messages);
  if (row.id.empty()) row.id = content_id({{row.prompt.id, row.chosen}, {"rejected", row.rejected}});
  tell_apart(row.id);
  ready_.emplace_back(std::move(row));
  return true;
}

void FileSource::emit_text(std::string id, std::string text, Value extra) {
  Demonstration row{std::move(id), {{"assistant", std::move(text)}}, std::move(extra)};
  if (strip(row.messages.front().content).empty()) return leave_out("empty text");
  if (!first_time(row.messages)) return;
  if (row.id.empty()) row.id = content_id(row.messages);
  tell_apart(row.id);
  ready_.emplace_back(std::move(row));
}

Message read_message(const JsonFields& json, const Value& message, const char* role_key, const char* content_key) {
  for (const char* calls : {"tool_calls", "function_call"}) {
    const Value* made = json.find(message, calls);
    if (made != nullptr && !(made->is_list() && made->as_list().empty())) return {kCalls, {}};
  }
  return {role_of(json.text(message, role_key)), json.text(message, content_key)};
}

Conversation read_messages(const JsonFields& json, const Value& list, const char* role_key, const char* content_key) {
  Conversation out;
  for (const Value& message : json.as_list(list, "the messages")) {
    out.push_back(read_message(json, message, role_key, content_key));
  }
  return out;
}

std::string row_id(const JsonFields& json, const Value& row, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const Value* id = json.find(row, key);
    if (id == nullptr) continue;
    if (id->type() == Value::Type::integer) return std::to_string(id->as_int());
    if (id->type() == Value::Type::real) {
      json.fail(*id,
                std::string("key `") + key +
                    "` is neither a text nor an integer of 64 bits with sign, so it cannot be kept exactly as an id; "
                    "write it as a text");
    }
    return json.as_text(*id, key);
  }
  return {};
}

Value other_columns(const Value& row, std::initializer_list<const char*> used) {
  Value out;
  for (const auto& [key, value] : row.as_map()) {
    if (std::find(used.begin(), used.end(), key) != used.end()) continue;
    if (out.is_null()) out = Value::map();
    out.as_map().push_back({key, value});
  }
  return out;
}

}  // namespace plumb::files
