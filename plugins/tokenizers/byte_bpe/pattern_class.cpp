#include "pattern_class.h"

#include <optional>

namespace plumb::tokenizers {
namespace {

constexpr int kClassDepth = 16;

// A class [...], parsed to a set.
class ClassReader {
 public:
  ClassReader(Cursor& in, bool caseless) : in_(in), caseless_(caseless) {}

  // After the opening bracket. As PCRE2 writes it.
  std::string read() {
    const bool negated = in_.take("^");
    const CharacterSet all = members(0);
    icu::UnicodeSet set = all.set;
    if (caseless_) set.closeOver(USET_CASE_INSENSITIVE).removeAllStrings();
    if (set.isEmpty()) return negated ? "(?s:.)" : "(?!)";
    const bool native = !all.written.empty() && !(caseless_ && named_);
    const std::string inner = native ? all.written : in_class({set, ""});
    return (negated ? "[^" : "[") + inner + "]";
  }

 private:
  // Up to the closing bracket. `written` stays empty where PCRE2 has no way to say it but ranges.
  CharacterSet members(int depth) {
    if (depth > kClassDepth) in_.fail("classes are nested too deep");
    std::optional<icu::UnicodeSet> meet;  // of what stands before each &&
    icu::UnicodeSet union_;
    std::string written;
    bool native = true, first = true, empty = true;
    for (;; first = false) {
      if (in_.done()) in_.fail("a class [...] has no end");
      if (!first && in_.take("]")) break;
      if (in_.take("&&")) {
        meet = meet ? icu::UnicodeSet(*meet).retainAll(union_) : union_;
        union_.clear();
        native = false;
        continue;
      }
      const CharacterSet part = member(depth, native);
      empty = false;
      union_.addAll(part.set);
      written += in_class(part);
    }
    if (empty) in_.fail("a class [...] is empty");
    if (meet) union_.retainAll(*meet);
    return {union_, native ? written : std::string()};
  }

  // One character, range, set or nested class.
  CharacterSet member(int depth, bool& native) {
    const std::size_t begin = in_.at();
    if (in_.take("[:")) {
      if (auto set = in_.posix_bracket()) {
        named_ = true;
        return *set;
      }
      in_.rewind(begin);
    }
    if (in_.take("[")) {
      native = false;
      const bool negated = in_.take("^");
      const CharacterSet inner = members(depth + 1);
      return negated ? complement(inner) : inner;
    }
    if (in_.take("\\")) {
      if (auto set = in_.escaped_set()) {
        named_ = true;
        return *set;
      }
      in_.rewind(begin);
    }
    const char32_t low = character();
    const std::size_t after = in_.at();
    if (!in_.take("-") || in_.ahead("]") || in_.done()) {
      in_.rewind(after);
      return range(low, low);
    }
    if (in_.ahead("[")) in_.fail("a range of a class ends with a set");
    const char32_t high = character();
    if (high < low) in_.fail("a range of a class is empty");
    return range(low, high);
  }

  char32_t character() {
    if (!in_.take("\\")) return in_.next();
    if (in_.take("b")) return 0x08;
    const auto code = in_.escaped_character();
    if (!code) in_.fail("this escape is not supported in a class");
    return *code;
  }

  static CharacterSet range(char32_t low, char32_t high) {
    return {icu::UnicodeSet(static_cast<UChar32>(low), static_cast<UChar32>(high)),
            low == high ? code_escape(low) : code_escape(low) + '-' + code_escape(high)};
  }

  Cursor& in_;
  bool caseless_;
  bool named_ = false;  // it names a set, whose members PCRE2 would not fold
};

}  // namespace

std::string read_class(Cursor& in, bool caseless) {
  return ClassReader(in, caseless).read();
}

}  // namespace plumb::tokenizers
