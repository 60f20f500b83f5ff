#include "charsmap.h"

#include "plumb/error.h"
#include "plumb/utf8.h"

namespace plumb::tokenizers {
namespace {

// The fields of one unit of the double array.
bool has_leaf(std::uint32_t unit) {
  return (unit >> 8 & 1) != 0;
}
std::uint32_t leaf_value(std::uint32_t unit) {
  return unit & 0x7FFFFFFF;
}
std::uint32_t label(std::uint32_t unit) {
  return unit & 0x800000FF;
}
std::uint32_t offset(std::uint32_t unit) {
  return (unit >> 10) << ((unit & 0x200) >> 6);
}

std::uint32_t little_endian(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

[[noreturn]] void fail(const std::string& origin, const std::string& why) {
  throw Error(ErrorCode::data, origin + ": precompiled_charsmap " + why);
}

}  // namespace

Charsmap::Charsmap(std::string_view blob, const std::string& origin) {
  if (blob.empty()) return;
  if (blob.size() < 4) fail(origin, "is shorter than its header");
  const std::size_t trie = little_endian(blob, 0);
  if (trie == 0 || trie % 1024 != 0 || trie > blob.size() - 4) {
    fail(origin, "says its trie has " + std::to_string(trie) + " bytes of " + std::to_string(blob.size() - 4) +
                     "; wanted a multiple of 1024 that fits");
  }
  units_.reserve(trie / 4);
  for (std::size_t at = 4; at < 4 + trie; at += 4) units_.push_back(little_endian(blob, at));
  replacements_ = blob.substr(4 + trie);
  if (replacements_.empty() || replacements_.back() != '\0') fail(origin, "does not end its replacements with NUL");
  check(origin);
}

// Visits what a lookup can reach. A lookup reads units_[base ^ byte] for any byte, so that whole block must exist.
void Charsmap::check(const std::string& origin) const {
  std::vector<bool> visited(units_.size());
  std::vector<std::uint32_t> open{0};
  visited[0] = true;
  while (!open.empty()) {
    const std::uint32_t node = open.back();
    open.pop_back();
    const std::uint32_t base = node ^ offset(units_[node]);
    if ((base | 0xFF) >= units_.size()) fail(origin, "leads outside of its trie");
    if (node != 0 && has_leaf(units_[node])) {
      const std::uint32_t value = leaf_value(units_[base]);
      if (value >= replacements_.size()) fail(origin, "leads outside of its replacements");
      if (!is_utf8(replacement_at(value))) fail(origin, "has a replacement that is not UTF-8");
    }
    for (std::uint32_t byte = 1; byte < 256; ++byte) {
      const std::uint32_t child = base ^ byte;
      if (label(units_[child]) != byte || visited[child]) continue;
      visited[child] = true;
      open.push_back(child);
    }
  }
}

std::string_view Charsmap::replacement_at(std::uint32_t at) const {
  return replacements_.c_str() + at;
}

std::optional<Charsmap::Match> Charsmap::longest(std::string_view text) const {
  if (units_.empty()) return std::nullopt;
  std::optional<Match> best;
  std::uint32_t base = offset(units_[0]);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const std::uint32_t node = base ^ byte;
    if (byte == 0 || label(units_[node]) != byte) break;
    base = node ^ offset(units_[node]);
    if (has_leaf(units_[node])) best = Match{i + 1, replacement_at(leaf_value(units_[base]))};
  }
  return best;
}

}  // namespace plumb::tokenizers
