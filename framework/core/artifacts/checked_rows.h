// Rows of unfinished work, with a checksum for every block of them: what a power failure or a damaged disk left is
// noticed when the work is taken up, and made again from there.
//
//   CheckedRows rows(context.work_folder() / "responses.jsonl");    // what an earlier attempt finished is there
//   if (!rows.damage().empty()) context.log(LogLevel::warning, rows.damage());
//   for (std::size_t i = rows.count(); i < all; i += block) {
//     for (…) rows.write(to_value(group));
//     rows.end_block(true);
//   }
//
// FILE holds nothing but the rows, FILE.sums one line a block: the offset where it ends and the SHA-256 of its bytes.
// Rows go to disk before their checksum, so a block without one, or with a wrong one, is cut off with all that follows.
// Thread contract: one thread, one process at a time (the stage's lock).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "framework/core/artifacts/descriptor.h"
#include "plumb/value.h"

namespace plumb {

class CheckedRows {
 public:
  // Opens or creates the file; its folder exists. Throws Error(data).
  explicit CheckedRows(const std::filesystem::path& file);

  [[nodiscard]] std::size_t count() const { return count_; }           // rows of ended blocks
  [[nodiscard]] const std::string& damage() const { return damage_; }  // what was cut off and why; empty: nothing
  void write(const Value& row);
  // The rows written since the last call make a block. `durable`: they survive a power cut once it returns.
  void end_block(bool durable);

 private:
  void take_up();

  std::filesystem::path file_, sums_file_;
  Descriptor rows_, sums_;
  std::string block_, damage_;
  std::size_t count_ = 0, written_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace plumb
