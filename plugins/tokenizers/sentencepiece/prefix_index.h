// Which of a set of texts begin a given text: a sorted list that each further byte narrows.
//
//   index.for_each_prefix(text, [](std::size_t size, TokenId id) { … });   // the shortest first
//
// Thread contract: const methods are [any].
#pragma once

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "plumb/records.h"

namespace plumb::tokenizers {

class PrefixIndex {
 public:
  using Item = std::pair<std::string_view, TokenId>;
  PrefixIndex() = default;
  // The texts must outlive the index, differ and not be empty.
  explicit PrefixIndex(std::vector<Item> items);

  template <class F>
  void for_each_prefix(std::string_view text, F&& take) const {
    auto first = items_.begin(), last = items_.end();
    for (std::size_t depth = 0; depth < text.size() && first != last; ++depth) {
      const auto byte = static_cast<unsigned char>(text[depth]);
      const auto at = [depth](const Item& item) {
        return item.first.size() > depth ? static_cast<int>(static_cast<unsigned char>(item.first[depth])) : -1;
      };
      first = std::partition_point(first, last, [&](const Item& item) { return at(item) < byte; });
      last = std::partition_point(first, last, [&](const Item& item) { return at(item) == byte; });
      if (first != last && first->first.size() == depth + 1) take(depth + 1, first->second);
    }
  }

  [[nodiscard]] std::size_t longest(std::string_view text) const;  // its size, or 0
  [[nodiscard]] bool empty() const { return items_.empty(); }

 private:
  std::vector<Item> items_;
};

}  // namespace plumb::tokenizers
