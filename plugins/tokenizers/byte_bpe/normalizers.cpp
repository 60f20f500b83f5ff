#include "normalizers.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uniset.h>

#include <algorithm>
#include <memory>

#include "plumb/error.h"
#include "regex.h"

namespace plumb::tokenizers {
namespace {

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
  return [form = std::make_shared<icu::FilteredNormalizer2>(*whole, known_characters())](std::string& text, bool) {
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
  return [prefix = std::move(prefix)](std::string& text, bool continues) {
    if (!continues) text.insert(0, prefix);
  };
}

Normalize replace_text(std::string from, std::string to) {
  return [from = std::move(from), to = std::move(to)](std::string& text, bool) {
    std::string out;
    std::size_t begin = 0;
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, begin)) {
      out.append(text, begin, at - begin).append(to);
      begin = at + from.size();
    }
    if (begin == 0) return;
    out.append(text, begin);
    text = std::move(out);
  };
}

Normalize replace_regex(Regex pattern, std::string to) {
  return [pattern = std::move(pattern), to = std::move(to)](std::string& text, bool) {
    std::string out;
    std::size_t begin = 0;
    pattern.for_each_match(text, [&](std::size_t first, std::size_t end) {
      out.append(text, begin, first - begin).append(to);
      begin = end;
    });
    if (begin == 0) return;
    out.append(text, begin);
    text = std::move(out);
  };
}

Normalize replacement(const JsonFields& json, const Value& step) {
  const Value& pattern = json.need(step, "pattern");
  std::string to = json.text(step, "content");
  if (const Value* regex = json.find(pattern, "Regex")) {
    return replace_regex(Regex(json.as_text(*regex, "key `Regex`"), json, *regex), std::move(to));
  }
  std::string from = json.text(pattern, "String");
  if (from.empty()) json.fail(pattern, "the text to replace is empty");
  return replace_text(std::move(from), std::move(to));
}

void append(const JsonFields& json, const Value& step, std::vector<Normalize>& out, int depth) {
  if (depth > 8) json.fail(step, "normalizers are nested more than 8 deep");
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
  } else if (type == "Replace") {
    out.push_back(replacement(json, step));
  } else {
    json.fail(step,
              "normalizer " + type + " is not supported; known are NFC, NFD, NFKC, NFKD, Prepend, Replace, Sequence");
  }
}

}  // namespace

std::vector<Normalize> parse_normalizers(const JsonFields& json, const Value* step) {
  std::vector<Normalize> out;
  if (step != nullptr) append(json, *step, out, 0);
  return out;
}

}  // namespace plumb::tokenizers
