// Llama-2's chat format against ids that the published template gives, and what is learnt of a conversation.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <sstream>

#include "framework/core/components/load_tokenizer.h"
#include "tests/parity/goldens.h"

namespace {

using namespace plumb;
using namespace plumb::test;

Conversation messages_of(const Value& list) {
  Conversation out;
  for (const Value& message : list.as_list()) {
    out.push_back({message.at("role").as_string(), message.at("content").as_string()});
  }
  return out;
}

std::vector<Value> goldens_of_llama() {
  std::vector<Value> rows;
  std::istringstream lines(read_file(golden("llama2_goldens.jsonl")).value());
  for (std::string line; std::getline(lines, line);) rows.push_back(parse_json(line));
  return rows;
}

std::size_t count(const std::vector<TokenId>& ids, TokenId id) {
  return static_cast<std::size_t>(std::count(ids.begin(), ids.end(), id));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(chat)

BOOST_AUTO_TEST_CASE(llama_2_writes_the_ids_of_the_published_template) {
  const auto folder = shared_data("data/llama2-tokenizer");
  if (folder.empty()) return;
  for (const char* file : {"tokenizer.json", "tokenizer.model"}) {
    const auto tokenizer = load_tokenizer(plugins(), folder / file, host()).value();
    const ChatFormat& format = *find_chat_format("llama-2");
    const auto rows = goldens_of_llama();
    BOOST_TEST_REQUIRE(rows.size() >= 4U);
    for (const Value& row : rows) {
      BOOST_TEST_CONTEXT(file << ": " << row.at("text").as_string()) {
        const Conversation messages = messages_of(row.at("messages"));
        const bool answered = messages.back().role == "assistant";
        const auto ids = answered ? format.render(*tokenizer, messages).value().ids
                                  : format.render_prompt(*tokenizer, messages).value();
        BOOST_TEST(ids == ids_of(row.at("ids")), boost::test_tools::per_element());
      }
    }
  }
}

// Every answer and its EOS are learnt and nothing else; one BOS a segment, which for all other formats is the whole.
BOOST_AUTO_TEST_CASE(answers_and_their_eos_are_learnt_with_one_bos) {
  LanguageModel model = open_golden("micro-llama");
  const Tokenizer& tokenizer = *model.tokenizer;
  const TokenId bos = *tokenizer.special().bos, eos = *tokenizer.special().eos;
  const auto word = [&](TokenId id) { return tokenizer.piece_bytes(id); };
  const Conversation two_turns{
      {"user", word(10)}, {"assistant", word(11) + " " + word(12)}, {"user", word(13)}, {"assistant", word(14)}};
  for (const std::string& name : chat_format_names()) {
    BOOST_TEST_CONTEXT(name) {
      const RenderedConversation row = find_chat_format(name)->render(tokenizer, two_turns).value();
      std::vector<TokenId> learnt;
      for (std::size_t t = 0; t < row.ids.size(); ++t) {
        if (row.learn[t] != 0) learnt.push_back(row.ids[t]);
      }
      BOOST_TEST((row.ids.front() == bos));
      BOOST_TEST(count(row.ids, bos) == (name == "llama-2" ? 2U : 1U));
      BOOST_TEST(count(learnt, bos) == 0U);
      BOOST_TEST(count(learnt, eos) == 2U);
      BOOST_TEST((row.ids.back() == eos && row.learn.back() == 1));
      for (const TokenId said : {11, 12, 14}) BOOST_TEST(count(learnt, said) == 1U);
      for (const TokenId asked : {10, 13}) BOOST_TEST(count(learnt, asked) == 0U);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
