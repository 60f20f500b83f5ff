// Groups of an unfinished block that nobody can make again the same, each on the disk before the next is asked for.
//
//   ArrivedGroups arrived(context.work_folder() / "arrived.jsonl", context);
//   if (auto group = arrived.take(prompt.id)) …             // of an earlier attempt; what is not there is asked for
//   arrived.keep(group);                                     // on the disk on return
//   arrived.forget();                                        // the block is in its place (durable_groups.h)
//
// Thread contract: one thread at a time, one process at a time (the stage's lock).
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "framework/core/artifacts/checked_rows.h"
#include "plumb/host.h"
#include "plumb/records.h"

namespace plumb {

class ArrivedGroups {
 public:
  // Warns `host` of rows that an earlier attempt left and that cannot be used.
  ArrivedGroups(std::filesystem::path file, Host& host);

  [[nodiscard]] std::size_t count() const { return groups_.size(); }  // kept by earlier attempts and not taken
  std::optional<ResponseGroup> take(const std::string& prompt);
  void keep(const ResponseGroup& group);
  void forget();

 private:
  std::filesystem::path file_;
  std::map<std::string, ResponseGroup> groups_;  // by prompt
  std::unique_ptr<CheckedRows> rows_;
};

}  // namespace plumb
