#include "framework/engine/rollout/answer_stream.h"

#include <boost/test/unit_test.hpp>
#include <vector>

#include "plumb/testing.h"

namespace {

using namespace plumb;

const testing::ByteTokenizer tokenizer(0, {{300, "</s>"}});

// What is handed out after each byte of `text`, and last what finish() adds.
std::vector<std::string> heard(const std::string& text, AnswerTrim trim) {
  AnswerStream stream(tokenizer, trim);
  std::vector<std::string> out;
  for (const TokenId id : tokenizer.encode(text, false)) out.push_back(stream.push(id));
  out.push_back(stream.finish());
  return out;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += part;
  return out;
}

constexpr AnswerTrim chat{.trim_front = true, .trim_back = true};
constexpr AnswerTrim raw{};
const std::vector<std::string> texts{"",
                                     " ",
                                     " \n\t",
                                     "a",
                                     " a",
                                     "a ",
                                     "  a  b \n c\n\n",
                                     "\xC2\xA0über\xE3\x80\x80",
                                     "a\xE2\x82",
                                     "\xF0\x9F\x98\x80 ",
                                     "\xFF \xFF"};

}  // namespace

BOOST_AUTO_TEST_SUITE(answer_stream)

BOOST_AUTO_TEST_CASE(together_it_is_the_whole_text_decoded_and_stripped) {
  for (const std::string& text : texts) {
    const std::string whole = lossy_utf8(text);
    BOOST_TEST(joined(heard(text, chat)) == std::string(strip(whole)));
    BOOST_TEST(joined(heard(text, raw)) == whole);
    const std::string_view front_only = std::string_view(whole).substr(
        strip(whole).empty() ? whole.size() : static_cast<std::size_t>(strip(whole).data() - whole.data()));
    BOOST_TEST(joined(heard(text, {.trim_front = true})) == std::string(front_only));
  }
}

BOOST_AUTO_TEST_CASE(text_comes_as_soon_as_it_is_certain) {
  BOOST_TEST(heard(" a b ", chat) == (std::vector<std::string>{"", "a", "", " b", "", ""}),
             boost::test_tools::per_element());
  BOOST_TEST(heard(" a ", raw) == (std::vector<std::string>{" ", "a", " ", ""}), boost::test_tools::per_element());
  BOOST_TEST(heard("\xC3\xA9", chat) == (std::vector<std::string>{"", "\xC3\xA9", ""}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_special_token_is_no_text) {
  AnswerStream stream(tokenizer, raw);
  BOOST_TEST(stream.push('a') == "a");
  BOOST_TEST(stream.push(300) == "");
  BOOST_TEST(stream.push('b') == "b");
}

BOOST_AUTO_TEST_SUITE_END()
