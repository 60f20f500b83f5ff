#include "../added_tokens.h"

#include <unicode/uchar.h>

#include <boost/test/unit_test.hpp>

#include "../word_characters.h"

using namespace plumb;
using namespace plumb::tokenizers;

namespace {

// Spans as "text" or "<id:text>".
std::vector<std::string> spans(const AddedTokens& added, std::string_view text, bool special = true) {
  std::vector<std::string> out;
  for (const auto& span : added.split(text, AddedTokens::Search::raw, special)) {
    out.push_back(span.id ? "<" + std::to_string(*span.id) + ":" + std::string(span.text) + ">"
                          : std::string(span.text));
  }
  return out;
}

AddedTokens made(const std::vector<AddedToken>& tokens) {
  AddedTokens added;
  for (const AddedToken& token : tokens) added.add(token, token.content);
  added.finish();
  return added;
}

using Strings = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_SUITE(added_tokens)

BOOST_AUTO_TEST_CASE(leftmost_then_longest) {
  const AddedTokens added = made({{.id = 1, .content = "ab"},
                                  {.id = 2, .content = "abcd"},
                                  {.id = 3, .content = "bc"},
                                  {.id = 4, .content = "d"},
                                  {.id = 5, .content = "xbcy"}});
  BOOST_TEST(spans(added, "abcx") == (Strings{"<1:ab>", "cx"}), boost::test_tools::per_element());
  BOOST_TEST(spans(added, "abcd") == (Strings{"<2:abcd>"}), boost::test_tools::per_element());
  BOOST_TEST(spans(added, "aabcabcd") == (Strings{"a", "<1:ab>", "c", "<2:abcd>"}), boost::test_tools::per_element());
  BOOST_TEST(spans(added, "xbcdxbcy") == (Strings{"x", "<3:bc>", "<4:d>", "<5:xbcy>"}),
             boost::test_tools::per_element());
  BOOST_TEST(spans(added, "").empty());
}

BOOST_AUTO_TEST_CASE(special_spellings_are_text_unless_asked_for) {
  const AddedTokens added = made({{.id = 2, .content = "</s>", .special = true}, {.id = 3, .content = "s"}});
  BOOST_TEST(spans(added, "a</s>s") == (Strings{"a", "<2:</s>>", "<3:s>"}), boost::test_tools::per_element());
  // The special token was found, so what is inside of it is not.
  BOOST_TEST(spans(added, "a</s>s", false) == (Strings{"a</s>", "<3:s>"}), boost::test_tools::per_element());
}

// As find_matches of tokenizers 0.22 gives them.
BOOST_AUTO_TEST_CASE(stripping_takes_white_space_once) {
  const AddedTokens added = made({{.id = 7, .content = "<sep>", .lstrip = true, .rstrip = true},
                                  {.id = 8, .content = "  "},
                                  {.id = 9, .content = "<r>", .rstrip = true}});
  BOOST_TEST(spans(added, "a \u00a0<sep>\u3000\nb\u180e<sep>\u200bc") ==
                 (Strings{"a", "<7: \u00a0<sep>\u3000\n>", "b\u180e", "<7:<sep>>", "\u200bc"}),
             boost::test_tools::per_element());
  BOOST_TEST(spans(added, "<r> <sep>x") == (Strings{"<9:<r> >", "<7:<sep>>", "x"}), boost::test_tools::per_element());
  BOOST_TEST(spans(added, "<r>  x") == (Strings{"<9:<r>  >", "<8:  >", "x"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(single_words_stand_between_other_characters) {
  const AddedTokens added = made({{.id = 7, .content = "foo", .single_word = true}});
  for (const char* alone : {"foo", "(foo)", "foo\u00b2", "foo\u00bc", "\U0001F600foo", "foo-x"}) {
    BOOST_TEST(spans(added, alone).size() + 0U != 0U);
    BOOST_TEST(!(spans(added, alone) == Strings{alone}), alone);
  }
  // Marks, joiners, connectors, Alphabetic that is no letter (Roman numerals, circled letters), digits of any script.
  for (const char* within : {"foo\u0301", "foo\u200d", "foo\u203f", "\u2167foo", "foo\u24b6", "foo\u0661", "foo_"}) {
    BOOST_TEST(spans(added, within) == Strings{within}, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(word_characters_agree_with_icu) {
  std::size_t compared = 0;
  for (UChar32 code = 0; code < 0x110000; ++code) {
    const auto kind = U_MASK(u_charType(code));
    if ((kind & (U_GC_CN_MASK | U_GC_CS_MASK)) != 0) continue;
    const bool word = u_isUAlphabetic(code) || (kind & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0 ||
                      u_hasBinaryProperty(code, UCHAR_JOIN_CONTROL);
    if (word != is_word_character(static_cast<char32_t>(code))) BOOST_ERROR("U+" << std::hex << code);
    ++compared;
  }
  BOOST_TEST(compared > 280'000u);
}

// Looked for from every place anew, these would take 10^10 steps.
BOOST_AUTO_TEST_CASE(a_long_text_takes_linear_time, *boost::unit_test::timeout(20)) {
  const std::string text(2'000'000, 'a'), spaces(500'000, ' ');
  const AddedTokens added = made(
      {{.id = 1, .content = std::string(5000, 'a') + "b"}, {.id = 2, .content = " ", .lstrip = true, .rstrip = true}});
  BOOST_TEST(spans(added, text).size() == 1U);
  BOOST_TEST(added.split(spaces, AddedTokens::Search::raw, true).size() == spaces.size());
}

BOOST_AUTO_TEST_SUITE_END()
