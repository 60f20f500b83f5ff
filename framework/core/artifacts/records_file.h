// Reading and writing the JSONL rows of artifacts. Column names are TRL's where TRL has one, so that
// pairs.jsonl, demonstrations.jsonl and preferences.jsonl load there unchanged.
//
//   prompts.jsonl         prompt_id, prompt: [{role, content}…], extra columns
//   demonstrations.jsonl  id, messages
//   preferences.jsonl     id, prompt_id, prompt, chosen: [{role: assistant, content}], rejected, chosen_reward?,
//                         rejected_reward?, margin?
//   responses.jsonl       prompt_id, prompt, prompt_ids, responses: [{text, ids, finish, reward?}], annotation?
//   pairs.jsonl           preferences' columns, and chosen_index and rejected_index into that prompt's row of
//                         responses.jsonl (-1: the dataset's own answer)
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
#include "plumb/selection_policy.h"

namespace plumb {

struct Pair {
  std::string prompt_id;
  int chosen_index = 0, rejected_index = 0;
  std::optional<double> chosen_reward, rejected_reward, margin;
};

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

Value to_value(const Prompt&);
Value to_value(const Demonstration&);
Value to_value(const Preference&);
Value to_value(const ResponseGroup&);
// A row of pairs.jsonl. Throws Error(run_failed) when the pair points outside the group or at a missing annotation.
Value to_value(const Pair&, const ResponseGroup& group);
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
