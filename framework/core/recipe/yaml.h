// Recipes are read as a strict part of YAML 1.2: what people misread is refused instead of guessed.
//
//   YamlDocument document = parse_yaml(text);
//   if (!document.problems.empty()) …                  // all of them, each with its place
//   document.value.at("seed").as_int();
//
// Refused: duplicate keys, anchors and aliases, merge keys, tags, several documents, keys that are no strings, tabs,
// control characters, text that is not UTF-8, more than 32 levels, more than 256 KiB, and spellings
// of numbers, booleans and null that readers of YAML take differently (010, 0x1F, 1_000, True, .inf). Plain true,
// false, null, ~ and decimal numbers have their types; NO, yes and on are strings, and so is everything in quotes.
// Thread contract: functions are [any].
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "framework/core/recipe/problem.h"
#include "plumb/value.h"

namespace plumb {

inline constexpr std::size_t kYamlBytes = std::size_t{1} << 18;
inline constexpr int kYamlDepth = 32;

struct YamlDocument {
  Value value;                    // what could be read; null when nothing could
  std::vector<Problem> problems;  // marks count lines and characters (not bytes) from 1
};

YamlDocument parse_yaml(std::string_view text);

// The text of a document that parse_yaml reads back as `value`. Maps of maps are written in blocks, short lists and the
// maps inside them in one line.
std::string write_yaml(const Value& value);

}  // namespace plumb
