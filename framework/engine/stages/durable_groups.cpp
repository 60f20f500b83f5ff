#include "framework/engine/stages/durable_groups.h"

#include "plumb/error.h"

namespace plumb {

DurableGroups::DurableGroups(const std::filesystem::path& file, Host& host) : rows_(file) {
  if (!rows_.damage().empty()) host.log(LogLevel::warning, rows_.damage());
}

void DurableGroups::append(std::size_t first, std::span<const ResponseGroup> groups) {
  if (first > done()) throw Error(ErrorCode::run_failed, "rows of responses were written out of order");
  for (std::size_t i = done() - first; i < groups.size(); ++i) rows_.write(to_value(groups[i]));
  rows_.end_block(true);
}

}  // namespace plumb
