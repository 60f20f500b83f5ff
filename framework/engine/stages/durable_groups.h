// Rows of responses.jsonl that grow block by block, on disk as soon as a block is done.
//
//   DurableGroups rows(context.work_folder() / "responses.jsonl", context);
//   rows.fill(prompts.size(), block, [&](std::size_t begin, std::size_t end) { return compute(begin, end); });
//
// What a forward pass computes for a row depends on its batch in the last bits. So work is cut into blocks at fixed
// places, an interrupted or damaged block (artifacts/checked_rows.h) is computed again as a whole, and the file has the
// same bytes however often it was interrupted, and on however many ranks it was made: each rank computes whole blocks, as
// many at a time as there are ranks, and rank 0 writes them in order. Thread contract: one thread; all ranks together.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "framework/core/artifacts/checked_rows.h"
#include "framework/core/artifacts/records_file.h"
#include "framework/engine/distributed/collective.h"
#include "plumb/host.h"

namespace plumb {

class DurableGroups {
 public:
  // Warns `host` of rows that an earlier attempt left and that cannot be used. Only rank 0 opens the file.
  DurableGroups(const std::filesystem::path& file, Host& host, Collective& group = ranks());

  // Rows on disk when this was opened; on rank 0 also those that came since.
  [[nodiscard]] std::size_t done() const { return done_; }

  using Compute = std::function<std::vector<ResponseGroup>(std::size_t begin, std::size_t end)>;
  // The rows that are missing of `total`, `block` at a time. `compute` throws Cancelled to stop: every rank then does,
  // once the blocks before the stopped one are on disk. `written` is called on rank 0 for each block that is.
  void fill(std::size_t total, std::size_t block, const Compute& compute,
            const std::function<void(std::size_t first, std::span<const ResponseGroup>)>& written = {});

 private:
  // Rows first, first + 1, … of the file; those that an earlier attempt had written are left out. On disk on return.
  void append(std::size_t first, std::span<const ResponseGroup> groups);

  Collective& group_;
  std::optional<CheckedRows> rows_;  // rank 0's
  std::size_t done_ = 0;
};

}  // namespace plumb
