// Tokenizers: text to ids and back.
#include <algorithm>
#include <filesystem>
#include <thread>

#include "plumb/tokenizer.h"
#include "sdk/check/context.h"

namespace plumb::check {
namespace {

const std::vector<std::string>& texts() {
  static const std::vector<std::string> all{
      "Name three fruits.",          "a",       "the plum is ripe and the apple is not", "x = 12 + 34",
      "Größe – naïve café 🌳 日本語", "one\ntwo"};
  return all;
}

std::string text(const std::vector<TokenId>& ids) {
  std::string out;
  for (const TokenId id : ids) out += std::to_string(id) + " ";
  return out;
}

std::string use(Context&, Component& component) {
  const auto& tokenizer = static_cast<Tokenizer&>(component);
  std::string out;
  for (const std::string& t : texts()) {
    const auto ids = tokenizer.encode(t);
    out += text(ids) + text(tokenizer.encode(t, true)) + tokenizer.decode(ids) + "\n";
  }
  return out;
}

void round_trip(Context& c) {
  Made made = c.make();
  const auto& tokenizer = made.as<Tokenizer>();
  for (const std::string& t : {texts()[0], texts()[1], texts()[2], texts()[3]}) {
    const std::string back = tokenizer.decode(tokenizer.encode(t));
    require(back == t, "\"" + t + "\" comes back as \"" + back + "\"");
  }
  for (const std::string& t : texts()) {  // a vocabulary may lack characters; what it has must be stable
    const std::string once = tokenizer.decode(tokenizer.encode(t));
    require(tokenizer.decode(tokenizer.encode(once)) == once, "\"" + t + "\" changes again on a second round");
  }
  require(tokenizer.encode("").empty(), "an empty text has tokens");
}

void range(Context& c) {
  Made made = c.make();
  const auto& tokenizer = made.as<Tokenizer>();
  const auto size = static_cast<TokenId>(tokenizer.vocabulary_size());
  for (const std::string& t : texts()) {
    for (const TokenId id : tokenizer.encode(t)) {
      require(id >= 0 && id < size, "id " + std::to_string(id) + " of a vocabulary of " + std::to_string(size));
    }
  }
}

// What a user types is text, even where it spells a special token.
void special(Context& c) {
  Made made = c.make();
  const auto& tokenizer = made.as<Tokenizer>();
  const SpecialTokens special = tokenizer.special();
  const auto size = static_cast<TokenId>(tokenizer.vocabulary_size());
  for (const auto& id : {special.bos, special.eos}) {
    if (!id) continue;
    require(*id >= 0 && *id < size, "a special token is outside the vocabulary");
    const std::string piece = tokenizer.decode(std::vector<TokenId>{*id}, true);
    require(!piece.empty(), "special token " + std::to_string(*id) + " has no spelling");
    require(tokenizer.decode(std::vector<TokenId>{*id}).empty(),
            "decode shows " + piece + " without being asked for it");
    const auto typed = tokenizer.encode(piece);
    require(std::find(typed.begin(), typed.end(), *id) == typed.end(),
            "\"" + piece + "\" typed by a user becomes the special token");
    const auto meant = tokenizer.encode_with_special(piece);
    require(std::find(meant.begin(), meant.end(), *id) != meant.end(),
            "encode_with_special does not know \"" + piece + "\"");
  }
}

void any_bytes(Context& c) {
  Made made = c.make();
  const auto& tokenizer = made.as<Tokenizer>();
  Random random = c.random().derive("bytes");
  for (int i = 0; i < 200; ++i) {
    std::string bytes(random.below(40), '\0');
    for (char& b : bytes) b = static_cast<char>(random.below(256));
    try {
      static_cast<void>(tokenizer.decode(tokenizer.encode(bytes)));
    } catch (...) {
      throw Failure{"bytes that are not UTF-8: " + caught()};
    }
  }
  static_cast<void>(tokenizer.encode(std::string(50000, 'a')));
}

void files(Context& c) {
  Made made = c.make();
  const auto names = made.as<Tokenizer>().files();
  require(!names.empty(), "it names no file that it is made up of");
  const Value* path = c.params().find("path");
  for (const std::string& name : names) {
    const bool there = path == nullptr || std::filesystem::exists(std::filesystem::path(path->as_string()) / name);
    require(there, "it names the file " + name + ", which is not in its folder");
  }
}

void concurrent(Context& c) {
  Made made = c.make();
  const std::string wanted = c.use(made);
  std::vector<std::string> problems(4);
  std::vector<std::thread> threads;
  for (std::string& problem : problems) {
    threads.emplace_back([&] {
      try {
        for (int round = 0; round < 30; ++round) {
          if (c.use(made) != wanted) problem = "several threads at once get other tokens";
        }
      } catch (...) {
        problem = caught();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& problem : problems) require(problem.empty(), problem);
}

}  // namespace

Kind tokenizer_kind() {
  return {Tokenizer::kind,
          "tokenizer",
          use,
          nullptr,
          {
              {"tokenizer.round-trip", "plain text comes back as it went", round_trip},
              {"tokenizer.range", "ids are in the vocabulary", range},
              {"tokenizer.special", "special tokens come from encode_with_special alone and stay hidden in decode",
               special},
              {"tokenizer.any-bytes", "no bytes are an error", any_bytes},
              {"tokenizer.files", "names the files that it is made up of", files},
              {"tokenizer.concurrent", "several threads may ask at once", concurrent},
          }};
}

}  // namespace plumb::check
