#include "framework/stages/durable_groups.h"

#include <fstream>
#include <string>

#include "plumb/error.h"

namespace plumb {

DurableGroups::DurableGroups(const std::filesystem::path& file) : writer_(file, true) {
  std::ifstream rows(file);
  for (std::string line; std::getline(rows, line);) ++done_;
}

void DurableGroups::append(std::size_t first, std::span<const ResponseGroup> groups) {
  if (first > done_) throw Error(ErrorCode::run_failed, "rows of responses were written out of order");
  for (std::size_t i = done_ - first; i < groups.size(); ++i, ++done_) writer_.write(to_value(groups[i]));
  writer_.flush(true);
}

}  // namespace plumb
