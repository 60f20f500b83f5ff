#include "pre_tokenizers.h"

#include <unicode/uniset.h>

#include <utility>

#include "../word_characters.h"
#include "plumb/byte_level.h"
#include "plumb/error.h"
#include "plumb/utf8.h"
#include "regex.h"

namespace plumb::tokenizers {
namespace {

// Replaces every word by the words that `cut` makes of it.
template <class Cut>
void recut(Words& words, Cut&& cut) {
  std::vector<std::string_view> before = std::exchange(words.words, {});
  for (const std::string_view word : before) cut(word, words.words);
}

void put_before_words(Words& words, WordPlace place, std::string_view prefix, bool first_only) {
  for (std::size_t i = 0; i < words.words.size(); ++i) {
    std::string_view& word = words.words[i];
    if (word.starts_with(prefix) || (i == 0 && place.continues)) continue;
    if (first_only && (i > 0 || !place.begins)) continue;
    word = words.owned.emplace_back(std::string(prefix).append(word));
  }
}

void add_byte_level(const JsonFields& json, const Value& step, std::optional<bool> prefix_space, PreTokenizer& out) {
  if (prefix_space.value_or(json.flag_or(step, "add_prefix_space", true))) {
    out.steps.push_back([](Words& words, WordPlace place) { put_before_words(words, place, " ", false); });
  }
  if (json.flag_or(step, "use_regex", true)) {
    out.steps.push_back([](Words& words, WordPlace) {
      recut(words, [](std::string_view word, auto& into) {
        for_each_word(word, [&](std::string_view part) { into.push_back(part); });
      });
    });
  }
  out.byte_letters = true;
}

// One stretch of a text: a match of the pattern, or what lies between matches.
struct Stretch {
  std::size_t begin, end;
  bool match;
};

enum class Behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

void join(std::string_view word, const std::vector<Stretch>& stretches, Behavior behavior,
          std::vector<std::string_view>& into) {
  std::size_t begin = 0;    // of the word being built
  bool open = false;        // there is one
  bool open_match = false;  // its last stretch was a match
  const auto close = [&](std::size_t end) {
    if (open && end > begin) into.push_back(word.substr(begin, end - begin));
    open = false;
  };
  for (const Stretch& s : stretches) {
    bool starts = true;
    if (behavior == Behavior::merged_with_previous) starts = !(s.match && open && !open_match);
    if (behavior == Behavior::merged_with_next) starts = !(open && open_match && !s.match);
    if (behavior == Behavior::contiguous) starts = !(open && open_match == s.match);
    if (starts) {
      close(s.begin);
      begin = s.begin;
      open = !(behavior == Behavior::removed && s.match);
    }
    open_match = s.match;
  }
  close(word.size());
}

Behavior parse_behavior(const JsonFields& json, const Value& step) {
  const std::string& name = json.text(step, "behavior");
  if (name == "Removed") return Behavior::removed;
  if (name == "Isolated") return Behavior::isolated;
  if (name == "MergedWithPrevious") return Behavior::merged_with_previous;
  if (name == "MergedWithNext") return Behavior::merged_with_next;
  if (name == "Contiguous") return Behavior::contiguous;
  json.fail(step, "behavior `" + name +
                      "` is unknown; wanted Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

using FindMatches = std::function<void(std::string_view, const std::function<void(std::size_t, std::size_t)>&)>;

SplitWords split_by(FindMatches find, Behavior behavior, bool invert) {
  return [=](Words& words, WordPlace) {
    recut(words, [&](std::string_view word, auto& into) {
      std::vector<Stretch> stretches;
      std::size_t at = 0;
      find(word, [&](std::size_t begin, std::size_t end) {
        if (begin > at) stretches.push_back({at, begin, invert});
        stretches.push_back({begin, end, !invert});  // may be empty: it still parts what stands around it
        at = end;
      });
      if (at < word.size()) stretches.push_back({at, word.size(), invert});
      join(word, stretches, behavior, into);
    });
  };
}

FindMatches characters(bool (*wanted)(char32_t) noexcept) {
  return [wanted](std::string_view text, const std::function<void(std::size_t, std::size_t)>& take) {
    for (std::size_t at = 0; at < text.size();) {
      const Character c = first_character(text.substr(at));
      if (wanted(c.code)) take(at, at + c.size);
      at += c.size;
    }
  };
}

// Runs of word characters and runs of what is neither word nor white space: \w+|[^\w\s]+ in Rust.
void words_and_signs(std::string_view text, const std::function<void(std::size_t, std::size_t)>& take) {
  enum class Kind { space, word, sign };
  const auto kind_of = [](char32_t code) {
    return is_word_character(code) ? Kind::word : is_space(code) ? Kind::space : Kind::sign;
  };
  std::size_t begin = 0;
  Kind kind = Kind::space;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = first_character(text.substr(at));
    const Kind now = kind_of(c.code);
    if (now != kind) {
      if (kind != Kind::space) take(begin, at);
      begin = at;
      kind = now;
    }
    at += c.size;
  }
  if (kind != Kind::space) take(begin, text.size());
}

// General category P in the version of Unicode that HF's library knows here, 8; U+166D has become a symbol since.
const icu::UnicodeSet& old_punctuation() {
  static const icu::UnicodeSet set = [] {
    UErrorCode status = U_ZERO_ERROR;
    icu::UnicodeSet made(UNICODE_STRING_SIMPLE("[[[:P:]&[:age=8.0:]]\\u166D]"), status);
    if (U_FAILURE(status)) throw Error(ErrorCode::run_failed, std::string("ICU: ") + u_errorName(status));
    made.freeze();
    return made;
  }();
  return set;
}

bool is_punctuation(char32_t code) noexcept {
  const bool ascii = (code >= '!' && code <= '/') || (code >= ':' && code <= '@') || (code >= '[' && code <= '`') ||
                     (code >= '{' && code <= '~');
  return ascii || (code >= 0x80 && old_punctuation().contains(static_cast<UChar32>(code)));
}

FindMatches literal(std::string wanted) {
  return [wanted](std::string_view text, const std::function<void(std::size_t, std::size_t)>& take) {
    for (std::size_t at = text.find(wanted); at != std::string_view::npos; at = text.find(wanted, at + wanted.size())) {
      take(at, at + wanted.size());
    }
  };
}

void add_split(const JsonFields& json, const Value& step, PreTokenizer& out) {
  const Value& pattern = json.need(step, "pattern");
  const Behavior behavior = parse_behavior(json, step);
  const bool invert = json.flag_or(step, "invert", false);
  if (const Value* regex = json.find(pattern, "Regex")) {
    const Regex compiled(json.as_text(*regex, "key `Regex`"), json, *regex);
    const auto find = [compiled](std::string_view text, const std::function<void(std::size_t, std::size_t)>& take) {
      compiled.for_each_match(text, take);
    };
    out.steps.push_back(split_by(find, behavior, invert));
    return;
  }
  const std::string& text = json.text(pattern, "String");
  if (text.empty()) json.fail(pattern, "the text to split at is empty");
  out.steps.push_back(split_by(literal(text), behavior, invert));
}

void add_metaspace(const JsonFields& json, const Value& step, PreTokenizer& out) {
  const std::string mark = json.text_or(step, "replacement", "\u2581");
  const bool prefix = json.flag_or(step, "add_prefix_space", true);  // the older spelling of prepend_scheme
  const std::string scheme = json.text_or(step, "prepend_scheme", prefix ? "always" : "never");
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    json.fail(step, "prepend_scheme `" + scheme + "` is unknown; wanted always, first or never");
  }
  out.steps.push_back([mark](Words& words, WordPlace) {
    for (std::string_view& word : words.words) {
      if (word.find(' ') == std::string_view::npos) continue;
      std::string& changed = words.owned.emplace_back();
      for (const char c : word) c == ' ' ? changed.append(mark) : changed.append(1, c);
      word = changed;
    }
  });
  if (scheme != "never") {
    const bool first_only = scheme == "first";
    out.steps.push_back([=](Words& words, WordPlace place) { put_before_words(words, place, mark, first_only); });
  }
  if (json.flag_or(step, "split", true)) {
    out.steps.push_back(split_by(literal(mark), Behavior::merged_with_next, false));
  }
}

constexpr std::size_t kSteps = 64;

void append(const JsonFields& json, const Value& step, std::optional<bool> prefix_space, PreTokenizer& out, int depth) {
  if (out.steps.size() >= kSteps) json.fail(step, "there are more than 64 pre-tokenizers");
  if (depth > 8) json.fail(step, "pre-tokenizers are nested more than 8 deep");
  if (out.byte_letters) json.fail(step, "a step after ByteLevel is not supported; ByteLevel must be the last");
  const std::string& type = json.text(step, "type");
  if (type == "Sequence") {
    for (const Value& inner : json.list(step, "pretokenizers")) append(json, inner, prefix_space, out, depth + 1);
  } else if (type == "ByteLevel") {
    add_byte_level(json, step, depth == 0 ? prefix_space : std::nullopt, out);
  } else if (type == "Split") {
    add_split(json, step, out);
  } else if (type == "WhitespaceSplit") {
    out.steps.push_back(split_by(characters(&is_space), Behavior::removed, false));
  } else if (type == "Whitespace") {
    out.steps.push_back(split_by(&words_and_signs, Behavior::removed, true));
  } else if (type == "Punctuation") {
    const Behavior behavior = json.find(step, "behavior") == nullptr ? Behavior::isolated : parse_behavior(json, step);
    out.steps.push_back(split_by(characters(&is_punctuation), behavior, false));
  } else if (type == "CharDelimiterSplit") {
    const std::string& delimiter = json.text(step, "delimiter");
    if (delimiter.empty()) json.fail(step, "key `delimiter` is empty");
    out.steps.push_back(split_by(literal(delimiter), Behavior::removed, false));
  } else if (type == "Digits") {
    const bool each = json.flag_or(step, "individual_digits", false);
    out.steps.push_back(split_by(characters(&is_number), each ? Behavior::isolated : Behavior::contiguous, false));
  } else if (type == "Metaspace") {
    add_metaspace(json, step, out);
  } else {
    json.fail(step, "pre-tokenizer " + type +
                        " is not supported; known are ByteLevel, CharDelimiterSplit, Digits, Metaspace, Punctuation, "
                        "Sequence, Split, Whitespace, WhitespaceSplit");
  }
}

}  // namespace

PreTokenizer parse_pre_tokenizer(const JsonFields& json, const Value* step, std::optional<bool> prefix_space) {
  PreTokenizer out;
  if (step != nullptr) append(json, *step, prefix_space, out, 0);
  return out;
}

}  // namespace plumb::tokenizers
