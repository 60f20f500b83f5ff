#include "plumb/utf8.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "plumb/byte_level.h"

BOOST_AUTO_TEST_SUITE(utf8)

BOOST_AUTO_TEST_CASE(reads_characters_of_every_length) {
  const std::string text = "a\u00e9\u6f22\U0001f642";
  std::string_view rest = text;
  for (const auto& [code, size] : {std::pair<char32_t, int>{'a', 1}, {0xe9, 2}, {0x6f22, 3}, {0x1f642, 4}}) {
    const plumb::Character c = plumb::first_character(rest);
    BOOST_TEST(c.valid);
    BOOST_TEST(static_cast<std::uint32_t>(c.code) == static_cast<std::uint32_t>(code));
    BOOST_TEST(static_cast<int>(c.size) == size);
    rest.remove_prefix(c.size);
  }
  std::string again;
  for (const char32_t code : {U'a', U'\u00e9', U'\u6f22', U'\U0001f642'}) plumb::append_utf8(again, code);
  BOOST_TEST(again == text);
}

// The examples of the Unicode Standard 16.0, tables 3-8 to 3-11: one replacement for each maximal subpart.
BOOST_AUTO_TEST_CASE(replaces_maximal_ill_formed_subparts) {
  const std::string r = "\uFFFD";
  const auto lossy = [](std::string_view bytes) { return plumb::lossy_utf8(bytes); };
  BOOST_TEST(lossy("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41") == r + r + r + r + r + r + r + r + "A");
  BOOST_TEST(lossy("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41") == r + r + r + r + r + r + r + r + "A");
  BOOST_TEST(lossy("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42") == r + r + r + r + r + "A" + r + r + "B");
  BOOST_TEST(lossy("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41") == r + r + r + r + "A");
  BOOST_TEST(!plumb::is_utf8("\xE1\x80"));
  BOOST_TEST(plumb::first_character("\xE1\x80").cut_off);
  BOOST_TEST(!plumb::first_character("\xE1\x41").cut_off);
  BOOST_TEST(!plumb::first_character("\xFF").cut_off);
}

BOOST_AUTO_TEST_CASE(strips_white_space_of_every_kind) {
  BOOST_TEST(plumb::strip("  a b\n\t") == "a b");
  BOOST_TEST(plumb::strip("\u00a0\u3000x\u2003") == "x");
  BOOST_TEST(plumb::strip(" \n ").empty());
  BOOST_TEST(plumb::strip("").empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(byte_level)

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  plumb::for_each_word(text, [&](std::string_view word) { out.emplace_back(word); });
  return out;
}

void check_words(std::string_view text, const std::vector<std::string>& wanted) {
  const std::vector<std::string> got = words(text);
  BOOST_CHECK_EQUAL_COLLECTIONS(got.begin(), got.end(), wanted.begin(), wanted.end());
}

// Each expectation follows from reading the pattern.
BOOST_AUTO_TEST_CASE(splits_as_the_pattern_says) {
  check_words("Hello world", {"Hello", " world"});
  check_words("It's we'll they've o'clock'", {"It", "'s", " we", "'ll", " they", "'ve", " o", "'", "clock", "'"});
  check_words("a  b", {"a", " ", " b"});
  check_words("a \n b", {"a", " \n", " b"});
  check_words("a\n\nb", {"a", "\n", "\n", "b"});
  check_words("a  ", {"a", "  "});
  check_words("x12 34!?", {"x", "12", " 34", "!?"});
  check_words("\u6f22\u5b57\uff01\u0663", {"\u6f22\u5b57", "\uff01", "\u0663"});
  check_words(" '", {" '"});
  check_words("", {});
}

BOOST_AUTO_TEST_CASE(alphabet_is_a_bijection_of_printable_characters) {
  BOOST_TEST(plumb::to_byte_letters(" a\n\x7f\xad") == "\u0120a\u010a\u0121\u0143");
  for (int b = 0; b < 256; ++b) {
    const auto byte = static_cast<unsigned char>(b);
    const auto back = plumb::byte_of_letter(plumb::byte_letter(byte));
    BOOST_REQUIRE(back.has_value());
    BOOST_TEST(*back == byte);
  }
  BOOST_TEST(!plumb::byte_of_letter(U' ').has_value());
  BOOST_TEST(!plumb::byte_of_letter(0x144).has_value());
}

// Every code point, against the encoding rule written the other way round: decode by shifting and compare.
BOOST_AUTO_TEST_CASE(every_character) {
  for (std::uint32_t code = 0; code < 0x110000; ++code) {
    std::string text;
    plumb::append_utf8(text, code);
    const bool surrogate = code >= 0xD800 && code < 0xE000;
    const plumb::Character c = plumb::first_character(text);
    if (c.valid == surrogate || (c.valid && (c.size != text.size() || c.code != code))) BOOST_FAIL(code);
    std::uint32_t decoded = static_cast<unsigned char>(text[0]);
    if (text.size() > 1) decoded &= 0x7Fu >> text.size();
    for (std::size_t i = 1; i < text.size(); ++i)
      decoded = decoded << 6 | (static_cast<unsigned char>(text[i]) & 0x3Fu);
    if (decoded != code) BOOST_FAIL(code);
  }
  for (const char* bad :
       {"\xC0\xAF", "\xE0\x80\xAF", "\xF0\x80\x80\xAF", "\xF4\x90\x80\x80", "\xED\xA0\x80", "\x80", "\xE2\x82"}) {
    BOOST_TEST(!plumb::first_character(bad).valid);
  }
}

// Counted by the bytes that begin a character: é takes two, 漢 three.
BOOST_AUTO_TEST_CASE(texts_are_cut_between_characters) {
  const std::string text = "a\u00e9\u6f22b";
  BOOST_TEST(plumb::count_characters(text) == 4u);
  BOOST_TEST(plumb::first_characters(text, 2) == "a\u00e9");
  BOOST_TEST(plumb::first_characters(text, 4) == text);
  BOOST_TEST(plumb::first_characters(text, 0) == "");
  BOOST_TEST(plumb::first_bytes(text, 3) == "a\u00e9");
  BOOST_TEST(plumb::first_bytes(text, 2) == "a");
  BOOST_TEST(plumb::first_bytes(text, 5) == "a\u00e9");
  BOOST_TEST(plumb::first_bytes(text, 7) == text);
}

BOOST_AUTO_TEST_SUITE_END()
