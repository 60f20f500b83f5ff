#include "onig_pattern.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "pattern_class.h"
#include "pattern_cursor.h"

namespace plumb::tokenizers {
namespace {

class PatternReader {
 public:
  explicit PatternReader(std::string_view pattern) : in_(pattern) {}

  std::string read() {
    groups_.push_back({});
    while (!in_.done()) element();
    if (groups_.size() > 1) in_.fail("a group ( has no end");
    out_.append(groups_.back().open_options, ')');
    return std::move(out_);
  }

 private:
  struct Group {
    std::size_t begin = 0;  // in the output
    std::size_t open_options = 0;
    bool caseless = false;
  };

  void element() {
    const std::size_t begin = in_.at();
    const char32_t c = in_.next();
    const std::optional<char32_t> before = std::exchange(literal_, std::nullopt);
    switch (c) {
      case '(':
        return open();
      case ')':
        return close();
      case '{':
        return interval(begin);
      case '[':
        return put(read_class(in_, groups_.back().caseless));
      case '\\':
        return escape();
      case '*':
      case '+':
      case '?':
        return quantifier(static_cast<char>(c));
      case '|':
      case '^':
      case '$':
        out_ += static_cast<char>(c);
        return;
      case '.':
        return put(".");
      default:
        literal_ = before;
        return put_character(c);
    }
  }

  void put(const std::string& atom) {
    atom_ = out_.size();
    out_ += atom;
  }
  void put_character(char32_t c) {
    atom_ = out_.size();
    if (groups_.back().caseless) check_folding(c);
    literal_ = c;
    const bool plain = c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (plain) {
      append_utf8(out_, c);
    } else {
      out_ += code_escape(c);
    }
  }

  // Oniguruma matches "ss" with an eszett and the like, one character with several; PCRE2 does not.
  void check_folding(char32_t c) const {
    icu::UnicodeString text(static_cast<UChar32>(c));
    text.foldCase();
    const bool several = text.countChar32() > 1;
    if (literal_) {
      text.insert(0, icu::UnicodeString(static_cast<UChar32>(*literal_)).foldCase());
      icu::UnicodeSet same;
      same.add(text).closeOver(USET_CASE_INSENSITIVE);
      if (same.getRangeCount() > 0) in_.fail("(?i) over characters that are one in another case is not supported");
    }
    if (several) in_.fail("(?i) over a character that is several in another case is not supported");
  }

  void open() {
    if (in_.ahead("*")) in_.fail("verbs and callouts (*…) are not supported");
    if (in_.take("?#")) {
      (void)in_.up_to(')', "a comment (?#…)");
      return;
    }
    Group group{.begin = out_.size(), .caseless = groups_.back().caseless};
    if (!in_.take("?")) {
      out_ += '(';
    } else if (!plain_group()) {
      if (options(group)) return;  // they reach to the end of the group they stand in
    }
    groups_.push_back(group);
  }

  // After "(?": groups that PCRE2 writes alike.
  bool plain_group() {
    for (const char* kind : {":", "=", "!", ">", "<=", "<!"}) {
      if (!in_.take(kind)) continue;
      out_ += std::string("(?") + kind;
      return true;
    }
    for (const auto& [begin, end] : {std::pair{"<", '>'}, std::pair{"'", '\''}}) {
      if (!in_.take(begin)) continue;
      out_ += "(?<" + name(end) + ">";
      return true;
    }
    return false;
  }

  std::string name(char end) {
    const std::string_view text = in_.up_to(end, "a group's name");
    for (const char c : text) {
      const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
      if (!fits) in_.fail("a group's name has other characters than letters, digits and _");
    }
    return std::string(text);
  }

  // After "(?": i and m, on and off. True for "(?i)", which opens no group of its own.
  bool options(Group& group) {
    std::string on, off;
    bool caseless = group.caseless, minus = false;
    for (;;) {
      const char32_t c = in_.next();
      if (c == '-') {
        minus = true;
      } else if (c == 'i' || c == 'm') {
        (minus ? off : on) += c == 'i' ? 'i' : 's';  // the dot's newline is s in PCRE2
        if (c == 'i') caseless = !minus;
      } else if (c == ':' || c == ')') {
        out_ += "(?" + on + (off.empty() ? "" : "-" + off) + ":";
        if (c == ':') {
          group.caseless = caseless;
          return false;
        }
        groups_.back().caseless = caseless;
        ++groups_.back().open_options;
        return true;
      } else {
        in_.fail("this kind of group (?…) is not supported");
      }
    }
  }

  void close() {
    if (groups_.size() == 1) in_.fail("a closing ) has no group");
    out_.append(groups_.back().open_options + 1, ')');
    atom_ = groups_.back().begin;
    groups_.pop_back();
  }

  // `*`, `+` or `?`, and lazy or possessive after it.
  void quantifier(char c) {
    out_ += c;
    if (in_.take("?")) {
      out_ += '?';
    } else if (in_.take("+")) {
      out_ += '+';
    }
  }

  // {n,m}: as in Ruby, a + after it repeats and a ? after {n} makes optional. Anything else in braces is text.
  void interval(std::size_t begin) {
    const auto digits = [this] {
      std::string text;
      while (!in_.done() && text.size() < 6 && in_.ahead_digit()) text += static_cast<char>(in_.next());
      return text;
    };
    const std::string low = digits();
    const bool comma = in_.take(",");
    const std::string high = comma ? digits() : low;
    if (!in_.take("}") || (low.empty() && high.empty())) {
      in_.rewind(begin + 1);
      return put_character('{');
    }
    if (!high.empty() && !low.empty() && std::stoi(high) < std::stoi(low)) in_.fail("an interval {n,m} has n above m");
    if (std::max(low.empty() ? 0 : std::stoi(low), high.empty() ? 0 : std::stoi(high)) > 60'000)
      in_.fail("an interval {n,m} is above 60000");
    out_ += "{" + (low.empty() ? "0" : low) + (comma ? "," + high : "") + "}";
    if (comma && in_.take("?")) {
      out_ += '?';
    } else if (in_.ahead("+") || in_.ahead("?") || in_.ahead("*")) {
      out_.insert(atom_, "(?:");
      out_ += ')';
    }
  }

  void escape() {
    if (auto set = in_.escaped_set()) {
      // Outside of a class \w has the superscripts and fractions of Latin-1, too; case never folds a named set.
      const bool word = set->set == word_characters().set;
      const bool other = set->set == complement(word_characters()).set;
      if (word || other) return put(other ? "[^" + word_text() + "]" : "[" + word_text() + "]");
      if (set->set.isEmpty()) return put("(?!)");
      const std::string text = set->written.empty() ? "[" + in_class(*set) + "]" : set->written;
      return put(groups_.back().caseless ? "(?-i:" + text + ")" : text);
    }
    if (const auto code = in_.escaped_character()) return put_character(*code);
    const char32_t c = in_.next();
    const std::string word = "[" + word_text() + "]";
    switch (c) {
      case 'b':
        return put("(?:(?<=" + word + ")(?!" + word + ")|(?<!" + word + ")(?=" + word + "))");
      case 'B':
        return put("(?:(?<=" + word + ")(?=" + word + ")|(?<!" + word + ")(?!" + word + "))");
      case 'A':
      case 'z':
      case 'Z':
      case 'G':
      case 'N':
        return put(std::string("\\") + static_cast<char>(c));
      case 'R':
        return put("\\R");
      case 'O':
        return put("(?s:.)");
      case 'k':
        if (!in_.take("<")) in_.fail("\\k wants a name in <>");
        return put("\\k<" + name('>') + ">");
      default:
        break;
    }
    if (c >= '1' && c <= '9') {
      if (in_.ahead_digit()) in_.fail("a reference to a group above 9 is not supported");
      return put("\\g{" + std::string(1, static_cast<char>(c)) + "}");
    }
    in_.fail(std::string("the escape \\") + static_cast<char>(c < 0x80 ? c : '?') + " is not supported");
  }

  static std::string word_text() { return word_characters().written + "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}"; }

  Cursor in_;
  std::string out_;
  std::optional<char32_t> literal_;  // the element before, when it is a character
  std::size_t atom_ = 0;             // where the output's last atom begins
  std::vector<Group> groups_;
};

}  // namespace

std::string pcre2_pattern(std::string_view pattern) {
  return PatternReader(pattern).read();
}

}  // namespace plumb::tokenizers
