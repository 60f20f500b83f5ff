// Text shown while it is generated: the pieces of real tokenizers and of one trained here, fed token by token, give the
// text, and never half a character.
#include <boost/test/unit_test.hpp>

#include "framework/core/artifacts/test_folder.h"
#include "framework/core/components/load_tokenizer.h"
#include "framework/core/data/bpe_training.h"
#include "framework/core/data/utf8_stream.h"
#include "tests/parity/goldens.h"

namespace {

using namespace plumb;
using namespace plumb::test;

// Characters of one to four bytes, with combining marks, joiners and what no vocabulary holds whole.
const std::vector<std::string> texts{"give three fruits not plum, please.",
                                     "naïve Straße, cafe\u0301",
                                     "漢字かな交じり文 한국어 עברית हिन्दी",
                                     "🙂 👩‍👩‍👧‍👦 🇩🇪 \U0001F9D1\U0001F3FD",
                                     "  two  spaces\n\n\ttab",
                                     "\U00020000\U0002F800 \u200B"};

void check_stream(const Tokenizer& tokenizer, const std::string& name) {
  std::size_t split = 0;  // tokens that end within a character
  for (const std::string& text : texts) {
    BOOST_TEST_CONTEXT(name << ": " << text) {
      Utf8Stream stream;
      std::string shown;
      for (const TokenId id : tokenizer.encode(text, true)) {
        const std::string more = stream.push(tokenizer.piece_bytes(id));
        BOOST_TEST(more.find("\uFFFD") == std::string::npos);
        BOOST_TEST(lossy_utf8(more) == more);
        split += more.empty() ? 1 : 0;
        shown += more;
      }
      shown += stream.finish();
      BOOST_TEST(shown == text);
    }
  }
  BOOST_TEST(split > 20U, name);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(streaming)

BOOST_AUTO_TEST_CASE(a_vocabulary_trained_here) {
  BpeTrainer trainer;
  for (const std::string& text : texts) trainer.add(text + " " + text);
  const Folder folder;
  write_tokenizer(trainer.train(300).value(), folder.path()).value();
  check_stream(*load_tokenizer(plugins(), folder.path(), host()).value(), "trained");
}

BOOST_AUTO_TEST_CASE(real_vocabularies) {
  for (const char* file : {"data/llama2-tokenizer/tokenizer.json", "data/llama2-tokenizer/tokenizer.model",
                           "data/stories260K-hf/tokenizer.model"}) {
    const auto path = shared_data(file);
    if (!path.empty()) check_stream(*load_tokenizer(plugins(), path, host()).value(), file);
  }
}

// What is cut off within a character ends in one replacement, as HF decodes the same bytes.
BOOST_AUTO_TEST_CASE(an_answer_cut_within_a_character) {
  Utf8Stream stream;
  BOOST_TEST(stream.push("a\xF0\x9F\x99") == "a");
  BOOST_TEST(stream.finish() == "\uFFFD");
  BOOST_TEST(stream.push("b") == "b");
}

BOOST_AUTO_TEST_SUITE_END()
