// Rows of a data file, one JSON value each: JSON lines (.jsonl), or one JSON list (.json), plain or compressed by their
// names (.gz, .zst).
//
//   plumb::JsonRows rows("oasst/2023-04-12_oasst_ready.trees.jsonl.gz");
//   while (std::optional<plumb::Value> row = rows.next()) {
//     const std::string& text = rows.fields().text(*row, "text");     // errors name file:line:column
//   }
//
// Thread contract: next is [lane].
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plumb/json_fields.h"
#include "plumb/records.h"
#include "plumb/value.h"

namespace plumb {
inline namespace v1 {

// Lines of a file that may be compressed. A line of more than 64 MiB, a broken archive and one that ends early are
// Error(data).
class TextLines {
 public:
  explicit TextLines(const std::string& path);
  ~TextLines();
  TextLines(const TextLines&) = delete;
  TextLines& operator=(const TextLines&) = delete;
  // Without its line end. False at the end of the file.
  bool next(std::string& line);
  [[nodiscard]] std::int64_t number() const { return number_; }  // of the line just read, from 1

 private:
  struct Source;
  bool fill();
  std::unique_ptr<Source> source_;
  std::string path_, buffer_;
  std::size_t begin_ = 0;  // of what is not yet handed out
  std::int64_t number_ = 0;
};

class JsonRows {
 public:
  explicit JsonRows(const std::string& path);
  ~JsonRows();

  // The next row, or nothing at the end; its marks are places in the (decompressed) file. Throws Error(data) for a
  // malformed line; the next call goes on with the line after it. Empty lines are passed over.
  std::optional<Value> next();
  // After an error: true when the file cannot be read on, as a broken archive, so that the next call fails as well.
  [[nodiscard]] bool broken() const { return broken_; }
  [[nodiscard]] const JsonFields& fields() const { return fields_; }

 private:
  void read_list(std::string first);
  bool next_line(std::string& line);
  JsonFields fields_;
  TextLines lines_;
  bool started_ = false, is_list_ = false, broken_ = false;
  Value::List list_;
  std::size_t next_ = 0;
};

// The data files that a path stands for: the file itself, or in a folder every .json, .jsonl, .json.gz … by name.
// Error(data) when there is none.
std::vector<std::string> data_files(const std::string& path);

// An id for rows whose file gives none, made of what is said: the same for the same content wherever it stands.
std::string content_id(const Conversation& messages);

}  // namespace v1
}  // namespace plumb
