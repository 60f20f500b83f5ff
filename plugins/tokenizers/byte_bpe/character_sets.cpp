#include "character_sets.h"

#include <unicode/uchar.h>

#include <array>
#include <cstdio>

#include "plumb/error.h"

namespace plumb::tokenizers {
namespace {

std::optional<icu::UnicodeSet> icu_set(const std::string& pattern) {
  UErrorCode status = U_ZERO_ERROR;
  icu::UnicodeSet set(icu::UnicodeString::fromUTF8(pattern), status);
  if (U_FAILURE(status)) return std::nullopt;
  return set;
}

CharacterSet known(const char* pattern, std::string written = "") {
  auto set = icu_set(pattern);
  if (!set) throw Error(ErrorCode::run_failed, std::string("ICU does not know the set ") + pattern);
  return {std::move(*set), std::move(written)};
}

// Names that mean another set in ICU, or that both PCRE2 and ICU lack.
struct Named {
  std::string_view name;
  const char* pattern;
};
constexpr std::array kNamed{
    Named{"alnum", "[[:Alphabetic:][:Nd:]]"},
    Named{"alpha", "[:Alphabetic:]"},
    Named{"any", "[\\u0000-\\U0010FFFF]"},
    Named{"ascii", "[\\u0000-\\u007F]"},
    Named{"assigned", "[:^Cn:]"},
    Named{"blank", "[[:Zs:]\\u0009]"},
    Named{"cntrl", "[:Cc:]"},
    Named{"digit", "[:Nd:]"},
    Named{"graph", "[^[:White_Space:][:Cc:][:Cn:][:Cs:]]"},
    Named{"lower", "[:Lowercase:]"},
    Named{"print", "[[^[:White_Space:][:Cc:][:Cn:][:Cs:]][:Zs:]]"},
    Named{"punct", "[:P:]"},
    Named{"space", "[:White_Space:]"},
    Named{"upper", "[:Uppercase:]"},
    Named{"word", "[[:Alphabetic:][:M:][:Nd:][:Pc:]]"},
    Named{"xdigit", "[0-9a-fA-F]"},
};

bool is_category(std::string_view name) {
  if (name.empty() || name.size() > 2 || std::string_view("LMNPSZC").find(name[0]) == std::string_view::npos)
    return false;
  return name.size() == 1 || (name[1] >= 'a' && name[1] <= 'z');
}

std::optional<CharacterSet> icu_named(const std::string& name) {
  auto set = icu_set("[:" + name + ":]");
  if (!set) return std::nullopt;
  std::string category = name;
  if (!category.empty()) category[0] = static_cast<char>(u_toupper(category[0]));
  const bool native = is_category(category) && category[0] != 'C';
  return CharacterSet{std::move(*set), native ? "\\p{" + category + "}" : std::string()};
}

}  // namespace

std::optional<CharacterSet> named_set(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    if (c == ' ' || c == '_' || c == '-') continue;
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter) return std::nullopt;
    plain += static_cast<char>(u_tolower(c));
  }
  for (const Named& special : kNamed) {
    if (special.name == plain) return known(special.pattern);
  }
  if (auto set = icu_named(plain)) return set;
  return plain.starts_with("in") ? icu_named("blk=" + plain.substr(2)) : std::nullopt;
}

std::optional<CharacterSet> bracket_set(std::string_view name) {
  return name == "punct" ? known("[[:P:][:S:]]") : named_set(name);
}

const CharacterSet& white_space() {
  static const CharacterSet set = known("[:White_Space:]");
  return set;
}
const CharacterSet& decimal_digits() {
  static const CharacterSet set = known("[:Nd:]", "\\p{Nd}");
  return set;
}
const CharacterSet& word_characters() {
  static const CharacterSet set = known("[[:Alphabetic:][:M:][:Nd:][:Pc:]]", "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}");
  return set;
}
const CharacterSet& hexadecimal_digits() {
  static const CharacterSet set = known("[0-9a-fA-F]");
  return set;
}

CharacterSet complement(const CharacterSet& of) {
  CharacterSet out{of.set, ""};
  out.set.complement();
  // \p{L} has its \P{L}; a union of several has none.
  if (of.written.starts_with("\\p{") && of.written.find('\\', 1) == std::string::npos) {
    out.written = of.written;
    out.written[1] = 'P';
  }
  return out;
}

std::string code_escape(char32_t code) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "\\x{%X}", static_cast<unsigned>(code));
  return text.data();
}

std::string in_class(const CharacterSet& set) {
  if (!set.written.empty()) return set.written;
  icu::UnicodeSet characters = set.set;
  characters.remove(0xD800, 0xDFFF);  // surrogates, which PCRE2 takes in no escape
  std::string out;
  for (std::int32_t i = 0; i < characters.getRangeCount(); ++i) {
    const UChar32 first = characters.getRangeStart(i), last = characters.getRangeEnd(i);
    out += code_escape(static_cast<char32_t>(first));
    if (last > first) out += '-' + code_escape(static_cast<char32_t>(last));
  }
  return out;
}

}  // namespace plumb::tokenizers
