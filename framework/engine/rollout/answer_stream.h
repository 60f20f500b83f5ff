// An answer's text as its tokens come: whole characters only, special tokens left out, and for chat without white space
// at either end, as ChatFormat::parse_completion gives it.
//
//   AnswerStream stream(tokenizer, {.trim_front = true, .trim_back = true});
//   std::cout << stream.push(id);      // possibly nothing yet: part of a character, or space that may be the end
//   std::cout << stream.finish();
//
// Thread contract: [lane]; the tokenizer outlives it.
#pragma once

#include <string>

#include "framework/core/data/utf8_stream.h"
#include "plumb/tokenizer.h"

namespace plumb {

struct AnswerTrim {
  bool trim_front = false, trim_back = false;
};

class AnswerStream {
 public:
  AnswerStream(const Tokenizer& tokenizer, AnswerTrim trim) : tokenizer_(tokenizer), trim_(trim) {}

  std::string push(TokenId id) { return take(characters_.push(bytes_of(id))); }

  std::string finish() {
    std::string out = take(characters_.finish());
    if (!trim_.trim_back) out += held_;
    held_.clear();
    return out;
  }

 private:
  // A special token's bytes are its spelling, which is not part of the text.
  [[nodiscard]] std::string bytes_of(TokenId id) const {
    std::string text = tokenizer_.decode({&id, 1});
    return text == tokenizer_.decode({&id, 1}, true) ? tokenizer_.piece_bytes(id) : text;
  }

  std::string take(const std::string& more) {
    held_ += more;
    const std::string_view inner = strip(held_);
    const bool trims_front = trim_.trim_front && !begun_;
    if (inner.empty() && trims_front) held_.clear();
    if (inner.empty() && (trims_front || trim_.trim_back)) return {};
    begun_ = begun_ || !inner.empty();
    const auto first = static_cast<std::size_t>(inner.data() - held_.data());
    const std::size_t begin = trims_front ? first : 0;
    const std::size_t end = trim_.trim_back ? first + inner.size() : held_.size();
    std::string out = held_.substr(begin, end - begin);
    held_.erase(0, end);
    return out;
  }

  const Tokenizer& tokenizer_;
  AnswerTrim trim_;
  Utf8Stream characters_;
  std::string held_;    // white space at the end, which belongs to the text only if more follows
  bool begun_ = false;  // something besides white space was handed out
};

}  // namespace plumb
