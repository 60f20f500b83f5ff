#include "framework/core/data/utf8_stream.h"

#include <boost/test/unit_test.hpp>

#include "plumb/random.h"

using namespace plumb;

BOOST_AUTO_TEST_SUITE(utf8_stream)

BOOST_AUTO_TEST_CASE(holds_back_a_character_until_it_is_complete) {
  Utf8Stream stream;
  BOOST_TEST(stream.push("a\xF0") == "a");
  BOOST_TEST(stream.push("\x9F\x99").empty());
  BOOST_TEST(stream.push("\x82!") == "\U0001F642!");
  BOOST_TEST(stream.push("\xE6\xBC") == "");
  BOOST_TEST(stream.push("x") == "\uFFFDx");
  BOOST_TEST(stream.push("\xC3") == "");
  BOOST_TEST(stream.finish() == "\uFFFD");
  BOOST_TEST(stream.finish() == "");
}

BOOST_AUTO_TEST_CASE(any_cut_gives_the_text_of_the_whole) {
  const std::string alphabet = "a\xC3\xA9\xE6\xBC\xA2\xF0\x9F\x99\x82\x80\xFF\xED\xA0";
  Random random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes;
    for (std::uint64_t i = random.below(24); i > 0; --i) bytes += alphabet[random.below(alphabet.size())];
    Utf8Stream stream;
    std::string text;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = 1 + random.below(3);
      text += stream.push(std::string_view(bytes).substr(at, size));
      at += size;
    }
    text += stream.finish();
    BOOST_TEST(text == lossy_utf8(bytes));
  }
}

BOOST_AUTO_TEST_SUITE_END()
