// Writes SentencePiece models for tests, well-formed and not.
#pragma once

#include <bit>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model_file.h"

namespace plumb::tokenizers::testing {

inline std::string varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}
inline std::string field(int number, std::string_view bytes) {
  return varint(static_cast<std::uint64_t>(number) << 3 | 2) + varint(bytes.size()) + std::string(bytes);
}
inline std::string field(int number, std::uint64_t value) {
  return varint(static_cast<std::uint64_t>(number) << 3) + varint(value);
}
inline std::string field(int number, float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  std::string out = varint(static_cast<std::uint64_t>(number) << 3 | 5);
  for (int i = 0; i < 4; ++i) out += static_cast<char>(bits >> (8 * i));
  return out;
}
inline std::string piece(std::string_view text, float score = 0, PieceType type = PieceType::normal) {
  return field(1, field(1, text) + field(2, score) + field(3, static_cast<std::uint64_t>(type)));
}

struct Rules {
  bool dummy_prefix = true, trims = false;
  std::string charsmap;
};
inline std::string specs(ModelType type, bool byte_fallback, const Rules& rules = {}) {
  const std::string trainer =
      field(3, static_cast<std::uint64_t>(type)) + field(35, static_cast<std::uint64_t>(byte_fallback));
  const std::string normalizer = field(2, rules.charsmap) + field(3, static_cast<std::uint64_t>(rules.dummy_prefix)) +
                                 field(4, static_cast<std::uint64_t>(rules.trims));
  return field(2, trainer) + field(3, normalizer);
}

inline std::string little_endian(std::uint32_t value) {
  std::string out;
  for (int i = 0; i < 4; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

// A precompiled_charsmap with these rules: every trie node's children have a block of 256 units of their own.
inline std::string charsmap(const std::map<std::string, std::string>& rules) {
  struct Node {
    std::map<unsigned char, std::size_t> next;
    std::int64_t value = -1;
    std::uint32_t place = 0;
    unsigned char byte = 0;
  };
  std::vector<Node> nodes(1);
  std::string replacements;
  for (const auto& [from, to] : rules) {
    std::size_t at = 0;
    for (const char c : from) {
      const auto byte = static_cast<unsigned char>(c);
      if (!nodes[at].next.contains(byte)) {
        nodes[at].next[byte] = nodes.size();
        nodes.emplace_back().byte = byte;
      }
      at = nodes[at].next[byte];
    }
    nodes[at].value = static_cast<std::int64_t>(replacements.size());
    replacements += to + '\0';
  }
  std::vector<std::uint32_t> units(256 * (nodes.size() + 1), 0x80000000);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const std::uint32_t base = 256 * static_cast<std::uint32_t>(i + 1), place = nodes[i].place;
    units[place] = (place ^ base) << 10 | nodes[i].byte | (nodes[i].value >= 0 ? 0x100 : 0);
    if (nodes[i].value >= 0) units[base] = static_cast<std::uint32_t>(nodes[i].value) | 0x80000000;
    for (const auto& [byte, child] : nodes[i].next) nodes[child].place = base ^ byte;
  }
  std::string out = little_endian(static_cast<std::uint32_t>(units.size() * 4));
  for (const std::uint32_t unit : units) out += little_endian(unit);
  return out + replacements;
}

}  // namespace plumb::tokenizers::testing
