#include "added_tokens.h"

#include <algorithm>

#include "plumb/utf8.h"
#include "word_characters.h"

namespace plumb::tokenizers {
namespace {

Character last_character(std::string_view text) {
  std::size_t begin = text.size() - 1;
  while (begin > 0 && text.size() - begin < 4 && continues_character(text[begin])) --begin;
  return first_character(text.substr(begin));
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  const bool before = begin > 0 && is_word_character(last_character(text.substr(0, begin)).code);
  const bool after = end < text.size() && is_word_character(first_character(text.substr(end)).code);
  return !before && !after;
}

std::size_t spaces_after(std::string_view text, std::size_t end) {
  std::size_t at = end;
  while (at < text.size()) {
    const Character c = first_character(text.substr(at));
    if (!is_space(c.code)) break;
    at += c.size;
  }
  return at;
}

std::size_t spaces_before(std::string_view text, std::size_t begin, std::size_t floor) {
  while (begin > floor) {
    const Character c = last_character(text.substr(0, begin));
    if (!is_space(c.code)) break;
    begin -= c.size;
  }
  return begin;
}

std::uint64_t edge(std::uint32_t node, unsigned char byte) {
  return std::uint64_t{node} << 8 | byte;
}

}  // namespace

std::uint32_t AddedTokens::Matcher::child(std::uint32_t node, unsigned char byte) const {
  if (node == 0) return first_[byte];
  const auto found = next_.find(edge(node, byte));
  return found == next_.end() ? 0 : found->second;
}

std::uint32_t AddedTokens::Matcher::step(std::uint32_t node, unsigned char byte) const {
  for (;; node = nodes_[node].fail) {
    if (const std::uint32_t to = child(node, byte)) return to;
    if (node == 0) return 0;
  }
}

void AddedTokens::Matcher::add(std::string_view spelling, const AddedToken* token) {
  std::uint32_t node = 0;
  for (std::size_t i = spelling.size(); i-- > 0;) {
    const auto byte = static_cast<unsigned char>(spelling[i]);
    std::uint32_t to = child(node, byte);
    if (to == 0) {
      to = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back({.fail = 0, .depth = nodes_[node].depth + 1});
      (node == 0 ? first_[byte] : next_[edge(node, byte)]) = to;
    }
    node = to;
  }
  if (nodes_[node].token == nullptr) nodes_[node].token = token;
}

// Nodes by depth, so that what a node falls back to is known before it.
void AddedTokens::Matcher::finish() {
  std::vector<std::pair<std::uint32_t, std::uint64_t>> edges;  // the node it leads to, and (node, byte)
  for (const auto& [from, to] : next_) edges.emplace_back(to, from);
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (first_[byte] != 0) edges.emplace_back(first_[byte], byte);
  }
  std::sort(edges.begin(), edges.end(), [this](const auto& a, const auto& b) {
    return std::pair(nodes_[a.first].depth, a.first) < std::pair(nodes_[b.first].depth, b.first);
  });
  for (const auto& [to, from] : edges) {
    Node& node = nodes_[to];
    const auto parent = static_cast<std::uint32_t>(from >> 8);
    node.fail = parent == 0 ? 0 : step(nodes_[parent].fail, static_cast<unsigned char>(from & 0xFF));
    node.longest = node.token != nullptr ? to : nodes_[node.fail].longest;
  }
}

std::vector<AddedTokens::Matcher::Match> AddedTokens::Matcher::matches(std::string_view text) const {
  std::vector<Match> out;
  std::uint32_t node = 0;
  for (std::size_t at = text.size(); at-- > 0;) {
    node = step(node, static_cast<unsigned char>(text[at]));
    if (const std::uint32_t found = nodes_[node].longest) out.push_back({at, nodes_[found].depth, nodes_[found].token});
  }
  std::reverse(out.begin(), out.end());
  return out;
}

void AddedTokens::add(const AddedToken& token, std::string_view spelling) {
  const AddedToken& kept = tokens_.insert_or_assign(token.id, token).first->second;
  if (!spelling.empty()) (token.normalized ? normalised_ : raw_).add(spelling, &kept);
}

void AddedTokens::finish() {
  raw_.finish();
  normalised_.finish();
}

std::vector<AddedTokens::Span> AddedTokens::split(std::string_view text, Search search, bool special) const {
  const Matcher& matcher = search == Search::raw ? raw_ : normalised_;
  std::vector<Span> out;
  std::size_t plain = 0;                     // where the plain text not yet written begins
  std::size_t matched = 0;                   // where the last match ends: the next one begins there or later
  std::size_t strip_from = 1, strip_to = 0;  // the white space last looked over, so that none is twice
  for (const Matcher::Match& match : matcher.empty() ? std::vector<Matcher::Match>() : matcher.matches(text)) {
    if (match.begin < matched) continue;
    std::size_t begin = match.begin, end = match.begin + match.size;
    matched = end;
    const AddedToken& token = *match.token;
    if (token.special && !special) continue;
    if (token.single_word && !stands_alone(text, begin, end)) continue;
    if (token.lstrip) begin = begin < plain ? plain : spaces_before(text, begin, plain);
    if (token.rstrip && (end < strip_from || end > strip_to)) {
      strip_from = end;
      strip_to = spaces_after(text, end);
    }
    if (token.rstrip) end = strip_to;
    end = std::max(begin, end);
    if (begin > plain) out.push_back({text.substr(plain, begin - plain), std::nullopt});
    out.push_back({text.substr(begin, end - begin), token.id});
    plain = end;
  }
  if (plain < text.size()) out.push_back({text.substr(plain), std::nullopt});
  return out;
}

const AddedToken* AddedTokens::find(TokenId id) const {
  const auto found = tokens_.find(id);
  return found == tokens_.end() ? nullptr : &found->second;
}

}  // namespace plumb::tokenizers
