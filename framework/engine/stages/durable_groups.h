// Rows of responses.jsonl that grow block by block, on disk as soon as a block is done.
//
//   DurableGroups rows(context.work_folder() / "responses.jsonl", context);
//   for (std::size_t i = rows.done() / block * block; i < prompts.size(); i += block) {
//     rows.append(i, compute(i, block));
//   }
//
// What a forward pass computes for a row depends on its batch in the last bits. So work is cut into blocks at fixed
// places, an interrupted or damaged block (artifacts/checked_rows.h) is computed again as a whole, and the file has the
// same bytes however often it was interrupted. Thread contract: one thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "framework/core/artifacts/checked_rows.h"
#include "framework/core/artifacts/records_file.h"
#include "plumb/host.h"

namespace plumb {

class DurableGroups {
 public:
  // Warns `host` of rows that an earlier attempt left and that cannot be used.
  DurableGroups(const std::filesystem::path& file, Host& host);

  [[nodiscard]] std::size_t done() const { return rows_.count(); }  // rows on disk
  // Rows first, first + 1, … of the file; those that an earlier attempt had written are left out. On disk on return.
  void append(std::size_t first, std::span<const ResponseGroup> groups);

 private:
  CheckedRows rows_;
};

}  // namespace plumb
