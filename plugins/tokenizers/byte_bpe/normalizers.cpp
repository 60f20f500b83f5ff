#include "normalizers.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>

#include <algorithm>
#include <memory>

#include "plumb/error.h"
#include "plumb/utf8.h"
#include "regex.h"

namespace plumb::tokenizers {
namespace {

constexpr std::size_t kGrowth = 64, kSlack = 1 << 20;
constexpr std::size_t kSteps = 64;

void check_size(std::size_t size, std::size_t room) {
  if (size <= room) return;
  throw Error(ErrorCode::data, "the normalizer makes a text grow to more than " + std::to_string(room) + " bytes");
}

using Find = const icu::Normalizer2* (*)(UErrorCode&);

// What HF's normalizers know of Unicode: version 9. A character of a later version is left where it stands and as it
// is, and nothing moves or composes across it.
const icu::UnicodeSet& known_characters() {
  static const icu::UnicodeSet known = [] {
    UErrorCode status = U_ZERO_ERROR;
    icu::UnicodeSet set(UNICODE_STRING_SIMPLE("[:age=9.0:]"), status);
    if (U_FAILURE(status)) throw Error(ErrorCode::run_failed, std::string("ICU: ") + u_errorName(status));
    set.freeze();
    return set;
  }();
  return known;
}

Normalize unicode_form(Find find) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* whole = find(status);
  if (U_FAILURE(status)) throw Error(ErrorCode::run_failed, std::string("ICU: ") + u_errorName(status));
  return [form = std::make_shared<icu::FilteredNormalizer2>(*whole, known_characters())](std::string& text, bool,
                                                                                         std::size_t) {
    if (std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; })) return;
    UErrorCode error = U_ZERO_ERROR;
    if (form->isNormalizedUTF8(text, error)) return;
    std::string out;
    icu::StringByteSink<std::string> sink(&out);
    error = U_ZERO_ERROR;
    form->normalizeUTF8(0, text, sink, nullptr, error);
    if (U_FAILURE(error))
      throw Error(ErrorCode::data, std::string("ICU cannot normalise a text: ") + u_errorName(error));
    text = std::move(out);
  };
}

Normalize prepend(std::string prefix) {
  return [prefix = std::move(prefix)](std::string& text, bool continues, std::size_t) {
    if (!continues) text.insert(0, prefix);
  };
}

// Calls take(begin, end) for each place to replace.
using FindPlaces = std::function<void(std::string_view, const std::function<void(std::size_t, std::size_t)>&)>;

Normalize replace(FindPlaces find, std::string to) {
  return [find = std::move(find), to = std::move(to)](std::string& text, bool, std::size_t room) {
    std::string out;
    std::size_t begin = 0;
    bool found = false;
    find(text, [&](std::size_t first, std::size_t end) {
      check_size(out.size() + (first - begin) + to.size(), room);
      out.append(text, begin, first - begin).append(to);
      begin = end;
      found = true;
    });
    if (!found) return;
    out.append(text, begin);
    text = std::move(out);
  };
}

FindPlaces literal(std::string from) {
  return [from = std::move(from)](std::string_view text, const auto& take) {
    for (std::size_t at = text.find(from); at != std::string_view::npos; at = text.find(from, at + from.size())) {
      take(at, at + from.size());
    }
  };
}

Normalize strip_ends(bool left, bool right) {
  return [=](std::string& text, bool, std::size_t) {
    const std::string_view inner = strip(text);
    if (inner.empty() && (left || right)) return text.clear();
    const auto begin = static_cast<std::size_t>(inner.data() - text.data());
    if (right) text.resize(begin + inner.size());
    if (left) text.erase(0, begin);
  };
}

// Character by character, as Rust's char::to_lowercase: without the rule for a final sigma.
void to_lower(std::string& text, bool, std::size_t) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = first_character(std::string_view(text).substr(at));
    if (c.code == 0x130) {
      out += "i\u0307";  // the one character whose lower case is two
    } else {
      append_utf8(out, static_cast<char32_t>(u_tolower(static_cast<UChar32>(c.code))));
    }
    at += c.size;
  }
  text = std::move(out);
}

Normalize replacement(const JsonFields& json, const Value& step) {
  const Value& pattern = json.need(step, "pattern");
  std::string to = json.text(step, "content");
  if (const Value* regex = json.find(pattern, "Regex")) {
    const Regex compiled(json.as_text(*regex, "key `Regex`"), json, *regex);
    return replace([compiled](std::string_view text, const auto& take) { compiled.for_each_match(text, take); },
                   std::move(to));
  }
  std::string from = json.text(pattern, "String");
  if (from.empty()) json.fail(pattern, "the text to replace is empty");
  return replace(literal(std::move(from)), std::move(to));
}

void append(const JsonFields& json, const Value& step, std::vector<Normalize>& out, int depth) {
  if (depth > 8) json.fail(step, "normalizers are nested more than 8 deep");
  if (out.size() >= kSteps) json.fail(step, "there are more than 64 normalizers");
  const std::string& type = json.text(step, "type");
  if (type == "Sequence") {
    for (const Value& inner : json.list(step, "normalizers")) append(json, inner, out, depth + 1);
  } else if (type == "NFC") {
    out.push_back(unicode_form(&icu::Normalizer2::getNFCInstance));
  } else if (type == "NFD") {
    out.push_back(unicode_form(&icu::Normalizer2::getNFDInstance));
  } else if (type == "NFKC") {
    out.push_back(unicode_form(&icu::Normalizer2::getNFKCInstance));
  } else if (type == "NFKD") {
    out.push_back(unicode_form(&icu::Normalizer2::getNFKDInstance));
  } else if (type == "Prepend") {
    out.push_back(prepend(json.text(step, "prepend")));
  } else if (type == "Strip") {
    out.push_back(strip_ends(json.flag_or(step, "strip_left", true), json.flag_or(step, "strip_right", true)));
  } else if (type == "Lowercase") {
    out.push_back(&to_lower);
  } else if (type == "Replace") {
    out.push_back(replacement(json, step));
  } else {
    json.fail(step,
              "normalizer " + type +
                  " is not supported; known are Lowercase, NFC, NFD, NFKC, NFKD, Prepend, Replace, Sequence, Strip");
  }
}

}  // namespace

void normalise(const std::vector<Normalize>& steps, std::string& text, bool continues) {
  const std::size_t room = text.size() * kGrowth + kSlack;
  for (const Normalize& step : steps) {
    if (text.empty()) return;
    step(text, continues, room);
    check_size(text.size(), room);
  }
}

std::vector<Normalize> parse_normalizers(const JsonFields& json, const Value* step) {
  std::vector<Normalize> out;
  if (step != nullptr) append(json, *step, out, 0);
  return out;
}

}  // namespace plumb::tokenizers
