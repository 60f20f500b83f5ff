// What the schemas share: files and rows, what is left out and why, duplicates.
//
//   class WebGpt final : public FileSource {
//    private:
//     void read(const Value& row, const JsonFields& json) override {
//       if (…) return leave_out("tied");
//       emit(Preference{…});
//     }
//   };
//
// Thread contract: as DataSource's.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "plumb/data_source.h"
#include "plumb/registrar.h"
#include "rows.h"

namespace plumb::files {

Params<FileSettings> file_params();

class FileSource : public DataSource {
 public:
  FileSource(const FileSettings& settings, Host& host);

  std::optional<Record> next() final;
  [[nodiscard]] std::map<std::string, std::size_t> skipped() const final;
  [[nodiscard]] std::vector<std::string> files() const final { return files_; }

 protected:
  // Emits the records of one row, or says why there are none. Throws through `json` for a malformed row.
  virtual void read(const Value& row, const JsonFields& json) = 0;
  // After the last row of a file.
  virtual void finish_file(const JsonFields&) {}

  // These leave a record out by themselves when a message is empty, the turns are out of order, the two answers are
  // the same, or the record has been there before; false then. An empty id is replaced by one made of the content.
  bool emit(Prompt row);
  bool emit(Demonstration row);
  bool emit(Preference row);
  // A demonstration whose single message is plain text.
  void emit_text(std::string id, std::string text, Value extra);
  void leave_out(const std::string& reason, std::size_t count = 1);
  // A row was emitted, but not whole.
  void cut(const std::string& reason);
  // What to set for another outcome, shown with the count of a reason.
  void cure(const std::string& reason, const std::string& cure);

 private:
  bool admit(const Conversation& messages, const char* last_role);
  bool first_time(const Conversation& messages, const std::string& chosen = {}, const std::string& rejected = {});
  // Gives a row that was there before and is kept an id of its own.
  void tell_apart(std::string& id);
  void read_more();
  void tell();

  FileSettings settings_;
  Host& host_;
  std::vector<std::string> files_;
  std::size_t file_ = 0;
  std::unique_ptr<Rows> rows_;
  std::deque<Record> ready_;
  std::string place_;  // of the row that is being read
  std::map<std::string, std::size_t> skipped_;
  std::map<std::string, std::string> first_;  // reason -> where
  std::map<std::string, std::string> cures_;
  std::unordered_set<std::uint64_t> seen_;
  std::uint64_t content_ = 0;                             // of the row that first_time() looked at last
  std::unordered_map<std::uint64_t, std::size_t> times_;  // with deduplicate: false, by id and content
};

// Messages as [{role, content}…] under these keys. Names of roles are mapped: human and prompter are the user, gpt and
// model the assistant.
Conversation read_messages(const JsonFields& json, const Value& list, const char* role_key = "role",
                           const char* content_key = "content");
Message read_message(const JsonFields& json, const Value& message, const char* role_key, const char* content_key);

// A row's own id (a string or a number) under the first of these keys that it has, or empty.
std::string row_id(const JsonFields& json, const Value& row, std::initializer_list<const char*> keys);

// The columns that are not among `used`.
Value other_columns(const Value& row, std::initializer_list<const char*> used);

// One per schema; `name` is the component's in this plugin.
void register_trl_columns(Registrar& registrar, const std::string& name);
void register_hh_rlhf(Registrar& registrar, const std::string& name);
void register_oasst(Registrar& registrar, const std::string& name);
void register_webgpt(Registrar& registrar, const std::string& name);
void register_alpaca(Registrar& registrar, const std::string& name);
void register_sharegpt(Registrar& registrar, const std::string& name);
void register_shp(Registrar& registrar, const std::string& name);
void register_hellaswag(Registrar& registrar, const std::string& name);
void register_summaries(Registrar& registrar, const std::string& name);
void register_benchmark_prompts(Registrar& registrar);

}  // namespace plumb::files
