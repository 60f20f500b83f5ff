#include "regex.h"

#include <boost/test/unit_test.hpp>
#include <iostream>

#include "../test_support.h"
#include "onig_pattern.h"
#include "pre_tokenizers.h"

using namespace plumb;
using namespace plumb::tokenizers;
using plumb::tokenizers::testing::refusal;

namespace {

struct Row {
  const char* pattern;
  const char* text;
  std::vector<std::string> words;
};

Value split_at(const std::string& pattern) {
  return Value::map({{"type", "Split"}, {"pattern", Value::map({{"Regex", pattern}})}, {"behavior", "Isolated"}});
}

std::vector<std::string> words_of(const std::string& pattern, std::string_view text) {
  const Value step = split_at(pattern);
  const PreTokenizer pre = parse_pre_tokenizer(JsonFields("test"), &step, std::nullopt);
  Words words;
  words.words.push_back(text);
  for (const SplitWords& cut : pre.steps) cut(words, {});
  return {words.words.begin(), words.words.end()};
}

// What tokenizers 0.22.2 gives: pre_tokenizers.Split(Regex(pattern), "isolated").pre_tokenize_str(text).
// clang-format off
const std::vector<Row>& rows() {
  static const std::vector<Row> all{
    {R"x(\s+)x", "a\u180Eb\302\205c \u3000d", {"a\u180Eb", "\302\205", "c", " \u3000", "d"}},
    {R"x([^\s]+)x", "a\u180E b\u00A0c", {"a\u180E", " ", "b", "\u00A0", "c"}},
    {R"x(\S+)x", "a\u200Bb c", {"a\u200Bb", " ", "c"}},
    {R"x(\w+)x", "a\u0301b \u0661\u203Fx \u00B2c-d", {"a\u0301b", " ", "\u0661\u203Fx", " ", "\u00B2c", "-", "d"}},
    {R"x([\w]+)x", "a\u00B2b\u0301", {"a", "\u00B2", "b\u0301"}},
    {R"x([^\W]+)x", "a\u00B2b", {"a", "\u00B2", "b"}},
    {R"x(\W+)x", "a\u00B2b\u200Dc d", {"a\u00B2b", "\u200D", "c", " ", "d"}},
    {R"x(\d+)x", "1\u06612\u00B23", {"1\u06612", "\u00B2", "3"}},
    {R"x(\h+)x", "cafe\u0301 x1g \t", {"cafe", "\u0301 x", "1", "g \t"}},
    {R"x([\H])x", "af g", {"af", " ", "g"}},
    {R"x(\v)x", "\n\013\u2028", {"\n", "\013", "\u2028"}},
    {R"x(\R)x", "a\r\nb\u2028c\302\205d\013e", {"a", "\r\n", "b", "\u2028", "c", "\302\205", "d", "\013", "e"}},
    {R"x(\N+)x", "a\r\nb", {"a\r", "\n", "b"}},
    {R"x(\O)x", "a\nb", {"a", "\n", "b"}},
    {R"x(\ba)x", "a\u0301a ba \u200Da", {"a", "\u0301a ba \u200D", "a"}},
    {R"x(a\b)x", "a\u0301a \u00B2a\u203F a", {"a\u0301", "a", " \u00B2a\u203F ", "a"}},
    {R"x(\B.)x", "ab c", {"a", "b", " c"}},
    {R"x([[:alpha:]]+)x", "a\u0301\u05B0b1\u2160c", {"a", "\u0301", "\u05B0b", "1", "\u2160c"}},
    {R"x([[:^alpha:]])x", "a1 ", {"a", "1", " "}},
    {R"x([[:punct:]])x", "a$+!\u00B4", {"a", "$", "+", "!", "\u00B4"}},
    {R"x(\p{Punct})x", "a$+!\u00B4", {"a$+", "!", "\u00B4"}},
    {R"x([[:upper:]])x", "aB\u24B6\u2160", {"a", "B", "\u24B6", "\u2160"}},
    {R"x([[:cntrl:]])x", "a\001\u200D\302\205", {"a", "\001", "\u200D", "\302\205"}},
    {R"x([[:blank:]])x", "a\t\u00A0\n\u3000", {"a", "\t", "\u00A0", "\n", "\u3000"}},
    {R"x([[:word:]]+)x", "a\u00B2_\u203F1", {"a", "\u00B2", "_\u203F1"}},
    {R"x(\p{Word}+)x", "a\u00B2_\u203F1", {"a\u00B2_\u203F1"}},
    {R"x([[:graph:]]+)x", "a \u200B\u3000b\uE000", {"a", " ", "\u200B", "\u3000", "b\uE000"}},
    {R"x([[:xdigit:]]+)x", "fG\uFF21", {"f", "G\uFF21"}},
    {R"x(\p{Letter}+)x", "a1b", {"a", "1", "b"}},
    {R"x(\p{^L}+)x", "a1b", {"a", "1", "b"}},
    {R"x(\P{^L})x", "a1b", {"a", "1", "b"}},
    {R"x(\p{greek}+)x", "a\u03B1\u0342b", {"a", "\u03B1", "\u0342b"}},
    {R"x(\p{In_Greek_and_Coptic})x", "a\u03B1\u0378", {"a", "\u03B1", "\u0378"}},
    {R"x(\p{Emoji})x", "1a\U0001F600", {"1", "a", "\U0001F600"}},
    {R"x(\p{Sc})x", "$\u20AC+", {"$", "\u20AC", "+"}},
    {R"x([a-z&&[^aeiou]]+)x", "hello world", {"h", "e", "ll", "o ", "w", "o", "rld"}},
    {R"x([[a-c][x-z]]+)x", "abxyqc", {"abxy", "q", "c"}},
    {R"x([^a&&a-c])x", "abc", {"a", "b", "c"}},
    {R"x([]a])x", "a]b", {"a", "]", "b"}},
    {R"x([\d\-z]+)x", "1-zb", {"1-z", "b"}},
    {R"x((?i)k)x", "kK\u212A", {"k", "K", "\u212A"}},
    {R"x((?i:s))x", "sS\u017F", {"s", "S", "\u017F"}},
    {R"x((?i)\p{Lu}+)x", "aAb", {"a", "A", "b"}},
    {R"x((?i)[\p{Lu}]+)x", "aAb1", {"aAb", "1"}},
    {R"x((?i)[^\p{Lu}])x", "aA1", {"aA", "1"}},
    {R"x(a(?i)b|c)x", "aB C c aC", {"aB", " C c ", "aC"}},
    {R"x((?:a|b(?i)c|d)x)x", "ax bDx DX", {"ax", " ", "bDx", " DX"}},
    {R"x((?m)a.b)x", "a\nb", {"a\nb"}},
    {R"x(a.b)x", "a\nb", {"a\nb"}},
    {R"x(^b|d$)x", "a\nb\nd\n", {"a\n", "b", "\n", "d", "\n"}},
    {R"x(^)x", "a\nb", {"a\n", "b"}},
    {R"x(a{2}+)x", "aaaaaa", {"aaaaaa"}},
    {R"x(\p{N}{1,3}+)x", "1234567", {"1234567"}},
    {R"x(ba{2}?)x", "baaab ba", {"baa", "a", "b", " ", "b", "a"}},
    {R"x(a{,2})x", "aaaaa", {"aa", "aa", "a"}},
    {R"x(a{2,}?)x", "aaaaa", {"aa", "aa", "a"}},
    {R"x(a++a|b)x", "aaab", {"aaa", "b"}},
    {R"x(a{x})x", "a{x}a", {"a{x}", "a"}},
    {R"x(x*)x", "aaxb", {"a", "a", "x", "b"}},
    {R"x((?=[a-c]))x", "xaxb", {"x", "ax", "b"}},
    {R"x()x", "abc", {"a", "b", "c"}},
    {R"x((a)\1)x", "aaab", {"aa", "ab"}},
    {R"x((?<n>a)\k<n>)x", "aaab", {"aa", "ab"}},
    {R"x((?#c)a)x", "ba", {"b", "a"}},
    {R"x(\x{61}\u0062)x", "abc", {"ab", "c"}},
    {R"x((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)x", "I'LL don't 12345\u0301 \u00E9a\u0301!!\r\n\n  x\u180E  ", {"I", "'LL", " don", "'t", " ", "123", "45", "\u0301", " \u00E9a", "\u0301!!\r\n\n", " ", " x", "\u180E", "  "}},
  };
  return all;
}
// clang-format on

}  // namespace

BOOST_AUTO_TEST_SUITE(regex)

BOOST_AUTO_TEST_CASE(patterns_mean_what_oniguruma_means) {
  for (const Row& row : rows()) {
    BOOST_TEST_CONTEXT(row.pattern << " on " << row.text) {
      BOOST_TEST(words_of(row.pattern, row.text) == row.words, boost::test_tools::per_element());
    }
  }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_said_in_pcre2_is_refused_by_name) {
  const auto refused = [](const std::string& pattern, const std::string& part) {
    const std::string message = refusal([&] { (void)words_of(pattern, "a"); });
    BOOST_TEST(message.find(part) != std::string::npos, pattern << ": " << message);
  };
  refused("a(?R)?b|a(?1)", "this kind of group");
  refused("a\\g<0>?b", "the escape \\g is not supported");
  refused("(*LIMIT_MATCH=4000000000)(a+)+$", "verbs and callouts");
  refused("(?C)a", "this kind of group");
  refused("(?(1)a|b)", "this kind of group");
  refused("(?~ab)", "this kind of group");
  refused("(?x)a b", "this kind of group");
  refused("(?s)a", "this kind of group");
  for (const char* escape : {"\\K", "\\X", "\\y", "\\C", "\\M-a", "\\cA"}) refused(escape, "is not supported");
  refused("\\p{Foo}", "no known property");
  refused("[[:foo:]]", "no known set");
  refused("[z-a]", "is empty");
  refused("[a", "has no end");
  refused("(a", "has no end");
  refused("a)", "has no group");
  refused("(?i)stra\u00DFe", "another case");
  refused("(?i)ss", "another case");
  refused("\\x{110000}", "no character of this number");
  refused(std::string(70'000, 'a'), "65536 bytes");
}

// Each start is cheap enough for PCRE2's own limit; all of them together are quadratic.
BOOST_AUTO_TEST_CASE(the_work_on_one_text_is_bounded, *boost::unit_test::timeout(60)) {
  const std::string message = refusal([] { (void)words_of("[a]*+[bc]", std::string(600'000, 'a')); });
  BOOST_TEST(message.find("match limit") != std::string::npos, message);
}

BOOST_AUTO_TEST_SUITE_END()
