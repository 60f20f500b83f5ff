#include "added_tokens.h"

#include <algorithm>

#include "plumb/utf8.h"

namespace plumb::tokenizers {
namespace {

// A word character as in Rust's \w, approximated by letters, numbers and the underscore.
bool is_word(char32_t code) {
  return code == '_' || is_letter(code) || is_number(code);
}

Character last_character(std::string_view text) {
  std::size_t begin = text.size() - 1;
  while (begin > 0 && text.size() - begin < 4 && (static_cast<unsigned char>(text[begin]) & 0xC0u) == 0x80) --begin;
  return first_character(text.substr(begin));
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  const bool before = begin > 0 && is_word(last_character(text.substr(0, begin)).code);
  const bool after = end < text.size() && is_word(first_character(text.substr(end)).code);
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
  return std::max(begin, floor);
}

}  // namespace

void AddedTokens::add(const AddedToken& token, std::string spelling) {
  const AddedToken& kept = tokens_.insert_or_assign(token.id, token).first->second;
  if (spelling.empty()) return;
  Trie& trie = token.normalized ? normalised_ : raw_;
  std::uint32_t node = 0;
  for (const char c : spelling) {
    const auto [place, fresh] = trie[node].next.try_emplace(c, static_cast<std::uint32_t>(trie.size()));
    node = place->second;
    if (fresh) trie.emplace_back();
  }
  trie[node].token = &kept;
}

AddedTokens::Match AddedTokens::longest(const Trie& trie, std::string_view text) {
  Match best;
  std::uint32_t node = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto next = trie[node].next.find(text[i]);
    if (next == trie[node].next.end()) break;
    node = next->second;
    if (trie[node].token != nullptr) best = {i + 1, trie[node].token};
  }
  return best;
}

std::vector<AddedTokens::Span> AddedTokens::split(std::string_view text, Search search, bool special) const {
  const Trie& trie = search == Search::raw ? raw_ : normalised_;
  std::vector<Span> out;
  std::size_t plain = 0;  // where the plain text not yet written begins
  if (!trie[0].next.empty()) {
    for (std::size_t at = 0; at < text.size();) {
      const Match match = longest(trie, text.substr(at));
      if (match.token == nullptr) {
        ++at;
        continue;
      }
      std::size_t begin = at, end = at + match.size;
      at = end;
      const AddedToken& token = *match.token;
      if (token.special && !special) continue;
      if (token.single_word && !stands_alone(text, begin, end)) continue;
      if (token.lstrip) begin = spaces_before(text, begin, plain);
      if (token.rstrip) end = spaces_after(text, end);
      if (begin > plain) out.push_back({text.substr(plain, begin - plain), std::nullopt});
      out.push_back({text.substr(begin, end - begin), token.id});
      plain = at = end;
    }
  }
  if (plain < text.size()) out.push_back({text.substr(plain), std::nullopt});
  return out;
}

const AddedToken* AddedTokens::find(TokenId id) const {
  const auto found = tokens_.find(id);
  return found == tokens_.end() ? nullptr : &found->second;
}

}  // namespace plumb::tokenizers
