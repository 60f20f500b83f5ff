// Reading and writing the JSONL rows of artifacts; plumb/rows.h says what the columns are.
//
//   for (const Prompt& prompt : read_prompts(folder / "prompts.jsonl").value()) …
//
// A pairs artifact holds pairs.jsonl and responses.jsonl (the unique responses its pairs use).
// Thread contract: functions are [any]; a writer is [lane].
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "framework/core/artifacts/disk.h"
#include "framework/result.h"
#include "plumb/records.h"
#include "plumb/rows.h"
#include "plumb/selection_policy.h"

namespace plumb {

// A pairs artifact in memory: groups hold the unique responses, pairs index into them by position of the group.
struct PairSet {
  std::vector<ResponseGroup> groups;
  struct Item {
    std::size_t group;
    int chosen, rejected;
    double margin;  // reward gap; NaN when the data has neither rewards nor a margin
  };                // PairChoice::annotated is resolved to a response
  std::vector<Item> pairs;
};

Result<Prompt> prompt_from(const Value& row, const std::string& where);  // where: "file:line" for messages
Result<Demonstration> demonstration_from(const Value& row, const std::string& where);
Result<Preference> preference_from(const Value& row, const std::string& where);
Result<ResponseGroup> group_from(const Value& row, const std::string& where);

Result<std::vector<Prompt>> read_prompts(const std::filesystem::path& file);
Result<std::vector<Demonstration>> read_demonstrations(const std::filesystem::path& file);
Result<std::vector<Preference>> read_preferences(const std::filesystem::path& file);
Result<std::vector<ResponseGroup>> read_groups(const std::filesystem::path& file);
// From a pairs artifact's folder, or from a preferences artifact's (every preference becomes a group of two responses).
Result<PairSet> read_pairs(const std::filesystem::path& folder);

// Calls `row` for each line of a JSONL file; stops at the first error, which names file:line:column. Empty lines are
// skipped.
Result<void> for_each_row(const std::filesystem::path& file,
                          const std::function<Result<void>(const Value& row, const std::string& where)>& row);

// Appends rows; they reach the file in blocks and with flush(). With `append`, the torn last line of an interrupted
// attempt is cut off when the file is opened, so open the writer before reading back what that attempt finished.
class RowWriter {
 public:
  explicit RowWriter(const std::filesystem::path& file, bool append = false);
  ~RowWriter() noexcept(false);  // flushes, and throws as flush() does unless another exception is on its way
  RowWriter(const RowWriter&) = delete;
  RowWriter& operator=(const RowWriter&) = delete;
  // Throws Error(data) naming the path, errno's text and the free space (disk full …).
  void write(const Value& row);
  void flush(bool durable = false);  // durable: ends with fdatasync, so the rows survive a power cut

 private:
  int fd_ = -1;
  int unwinding_ = 0;  // exceptions on their way when the writer was made
  std::string buffer_;
  std::filesystem::path file_;
};

}  // namespace plumb
