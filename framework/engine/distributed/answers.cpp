#include "framework/engine/distributed/answers.h"

#include <algorithm>
#include <iterator>

#include "framework/cancelled.h"
#include "framework/engine/distributed/texts.h"

namespace plumb {

std::vector<ResponseGroup> answer_together(
    Collective& group, std::span<const Prompt> prompts, Host& host,
    const std::function<std::vector<ResponseGroup>(std::span<const Prompt>)>& answer) {
  static const std::string stopped = "stopped";
  const auto rank = static_cast<std::size_t>(group.rank()), world = static_cast<std::size_t>(group.world());
  const std::size_t begin = prompts.size() * rank / world, end = prompts.size() * (rank + 1) / world;
  std::vector<ResponseGroup> mine;
  if (begin < end) mine = answer(prompts.subspan(begin, end - begin));
  if (group.alone()) {
    if (host.cancelled()) throw Cancelled{};
    return mine;
  }
  const auto texts = group.gather_texts(host.cancelled() ? stopped : groups_as_text(mine));
  if (std::find(texts.begin(), texts.end(), stopped) != texts.end()) throw Cancelled{};
  std::vector<ResponseGroup> all;
  for (std::size_t from = 0; from < world; ++from) {
    auto theirs = groups_of_text(texts[from], "the answers of rank " + std::to_string(from));
    std::move(theirs.begin(), theirs.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace plumb
