#include "framework/engine/stages/durable_groups.h"

#include <algorithm>

#include "framework/cancelled.h"
#include "framework/engine/distributed/texts.h"
#include "plumb/error.h"

namespace plumb {
namespace {

const std::string kStopped = "stopped";

}  // namespace

DurableGroups::DurableGroups(const std::filesystem::path& file, Host& host, Collective& group) : group_(group) {
  if (group.leads()) {
    rows_.emplace(file);
    if (!rows_->damage().empty()) host.log(LogLevel::warning, rows_->damage());
    done_ = rows_->count();
  }
  if (!group.alone()) done_ = std::stoul(group.broadcast_text(std::to_string(done_)));
}

void DurableGroups::append(std::size_t first, std::span<const ResponseGroup> groups) {
  if (first > done()) throw Error(ErrorCode::run_failed, "rows of responses were written out of order");
  for (std::size_t i = done() - first; i < groups.size(); ++i) rows_->write(to_value(groups[i]));
  rows_->end_block(true);
  done_ = rows_->count();
}

void DurableGroups::fill(std::size_t total, std::size_t block, const Compute& compute,
                         const std::function<void(std::size_t, std::span<const ResponseGroup>)>& written) {
  const auto keep = [&](std::size_t begin, std::span<const ResponseGroup> groups) {
    append(begin, groups);
    if (written) written(begin, groups);
  };
  const auto world = static_cast<std::size_t>(group_.world());
  for (std::size_t begin = done() / block * block; begin < total; begin += world * block) {
    const std::size_t mine = begin + static_cast<std::size_t>(group_.rank()) * block;
    const std::size_t end = std::min(mine + block, total);
    if (group_.alone()) {
      keep(mine, compute(mine, end));
      continue;
    }
    std::string text;
    try {
      if (mine < total) text = groups_as_text(compute(mine, end));
    } catch (const Cancelled&) {
      text = kStopped;
    }
    const std::vector<std::string> texts = group_.gather_texts(text);
    for (std::size_t rank = 0; rank < world; ++rank) {
      if (texts[rank] == kStopped) throw Cancelled{};
      if (!group_.leads() || texts[rank].empty()) continue;
      keep(begin + rank * block, groups_of_text(texts[rank], "the rows of rank " + std::to_string(rank)));
    }
  }
}

}  // namespace plumb
