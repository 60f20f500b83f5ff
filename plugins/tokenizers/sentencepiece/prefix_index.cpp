#include "prefix_index.h"

namespace plumb::tokenizers {

PrefixIndex::PrefixIndex(std::vector<Item> items) : items_(std::move(items)) {
  std::sort(items_.begin(), items_.end());
}

std::size_t PrefixIndex::longest(std::string_view text) const {
  std::size_t best = 0;
  for_each_prefix(text, [&](std::size_t size, TokenId) { best = size; });
  return best;
}

}  // namespace plumb::tokenizers
