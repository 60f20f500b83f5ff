#include "framework/core/data/chat_format.h"

#include <boost/test/unit_test.hpp>

#include "plumb/testing.h"

using namespace plumb;

namespace {

// Ids of bytes from 10; BOS 1, EOS 2, and `_` where SentencePiece would put its dummy prefix.
struct Bytes : testing::ByteTokenizer {
  Bytes() : ByteTokenizer(10) {
    specials.pad = 2;
    prefix = "_";
  }
};

const Conversation kTwoTurns{{"user", " first \n"}, {"assistant", "one"}, {"user", "second"}, {"assistant", "\ttwo"}};

// The learnt tokens in brackets.
std::string shown(const Tokenizer& tokenizer, const RenderedConversation& row) {
  BOOST_REQUIRE(row.ids.size() == row.learn.size());
  std::string out;
  for (std::size_t i = 0; i < row.ids.size(); ++i) {
    const bool before = i > 0 && row.learn[i - 1] != 0, now = row.learn[i] != 0;
    if (now && !before) out += '[';
    if (!now && before) out += ']';
    out += tokenizer.piece_bytes(row.ids[i]);
  }
  return row.learn.back() != 0 ? out + "]" : out;
}

std::string rendered(const char* format, const Tokenizer& tokenizer, const Conversation& messages) {
  return shown(tokenizer, find_chat_format(format)->render(tokenizer, messages).value());
}

std::string refusal(const char* format, const Conversation& messages, bool prompt) {
  const Bytes tokenizer;
  const ChatFormat& f = *find_chat_format(format);
  const auto error = prompt ? f.render_prompt(tokenizer, messages).error() : f.render(tokenizer, messages).error();
  BOOST_TEST(static_cast<int>(error.code()) == static_cast<int>(ErrorCode::data));
  return error.what();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(chat_formats)

BOOST_AUTO_TEST_CASE(writes_the_published_strings) {
  const Bytes t;
  BOOST_TEST(rendered("llama-2", t, kTwoTurns) ==
             "<s>_[INST] first [/INST][ one </s>]<s>_[INST] second [/INST][ two </s>]");
  BOOST_TEST(rendered("hh", t, kTwoTurns) ==
             "<s>_\n\nHuman: first\n\nAssistant:[ one</s>]\n\nHuman: second\n\nAssistant:[ two</s>]");
  BOOST_TEST(rendered("oasst", t, kTwoTurns) ==
             "<s>_<|prompter|>first</s><|assistant|>[one</s>]<|prompter|>second</s><|assistant|>[two</s>]");
  BOOST_TEST(rendered("alpaca", t, {{"user", "do"}, {"assistant", "done"}}) ==
             "<s>_Below is an instruction that describes a task. Write a response that appropriately completes the "
             "request.\n\n### Instruction:\ndo\n\n### Response:[done</s>]");
  BOOST_TEST(rendered("plain", t, kTwoTurns) == "<s>_first\n[one</s>]second\n[two</s>]");
}

BOOST_AUTO_TEST_CASE(writes_system_messages_where_there_is_a_place) {
  const Bytes t;
  const Conversation asked{{"system", " Be brief. "}, {"user", "hi"}, {"assistant", "yo"}};
  BOOST_TEST(rendered("llama-2", t, asked) == "<s>_[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nhi [/INST][ yo </s>]");
  BOOST_TEST(rendered("alpaca", t, asked) == "<s>_Be brief.\n\n### Instruction:\nhi\n\n### Response:[yo</s>]");
  BOOST_TEST(rendered("plain", t, asked) == "<s>_Be brief.\nhi\n[yo</s>]");
  BOOST_TEST(refusal("hh", asked, false).find("no place for a system message") != std::string::npos);
  BOOST_TEST(refusal("oasst", asked, false).find("no place for a system message") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_conversation_is_its_prompts_and_completions) {
  const Bytes t;
  for (const std::string& name : chat_format_names()) {
    const ChatFormat& format = *find_chat_format(name);
    const RenderedConversation whole = format.render(t, kTwoTurns).value();
    const Conversation prompt(kTwoTurns.begin(), kTwoTurns.begin() + 3);
    std::vector<TokenId> joined = format.render_prompt(t, prompt).value();
    const std::vector<TokenId> answer = format.render_completion(t, kTwoTurns[3].content).value();
    joined.insert(joined.end(), answer.begin(), answer.end());
    BOOST_TEST(joined == whole.ids, boost::test_tools::per_element());
    BOOST_TEST(format.parse_completion(t, answer) == "two");
    BOOST_TEST(answer.back() == 2);
    std::vector<TokenId> beyond = answer;
    beyond.push_back(10 + 'x');
    BOOST_TEST(format.parse_completion(t, beyond) == "two");
  }
}

// GPT-NeoX: BOS = EOS = PAD. No BOS is written, and the EOS after an answer is still learnt.
BOOST_AUTO_TEST_CASE(bos_that_is_eos_is_not_written) {
  Bytes t;
  t.specials = {.bos = 2, .eos = 2, .pad = 2, .unk = 2};
  BOOST_TEST(rendered("plain", t, kTwoTurns) == "_first\n[one</s>]second\n[two</s>]");
  t.specials.bos.reset();
  BOOST_TEST(rendered("hh", t, {{"user", "a"}, {"assistant", "b"}}) == "_\n\nHuman: a\n\nAssistant:[ b</s>]");
}

BOOST_AUTO_TEST_CASE(markers_are_tokens_where_the_tokenizer_has_them) {
  Bytes t;
  t.spellings.insert({{5, "<|prompter|>"}, {6, "<|assistant|>"}});  // with no dummy prefix before the first one
  BOOST_TEST(rendered("oasst", t, {{"user", "a"}, {"assistant", "b"}}) == "<s><|prompter|>a</s><|assistant|>[b</s>]");
}

BOOST_AUTO_TEST_CASE(refuses_what_a_format_cannot_write) {
  const auto has = [](const std::string& message, const char* part) {
    BOOST_TEST(message.find(part) != std::string::npos, message);
  };
  has(refusal("plain", {}, true), "no message of the user");
  has(refusal("plain", {{"assistant", "x"}}, false), "message 1 is from `assistant`, wanted `user` or `system`");
  has(refusal("hh", {{"user", "a"}, {"user", "b"}}, true), "message 2 is from `user`, wanted `assistant`");
  has(refusal("hh", {{"user", "a"}, {"system", "b"}}, true), "message 2 is from `system`");
  has(refusal("plain", {{"user", "a"}, {"assistant", " \n"}}, false), "message 2 (`assistant`) is empty");
  has(refusal("plain", kTwoTurns, true), "a prompt ends with the user");
  has(refusal("plain", {{"user", "a"}}, false), "ends with the user");
  Bytes t;
  has(find_chat_format("plain")->render_completion(t, "  ").error().what(), "an answer is empty");
  t.specials.eos.reset();
  has(find_chat_format("plain")->render_prompt(t, {{"user", "a"}}).error().what(), "no EOS token");
  BOOST_TEST(find_chat_format("chatml") == nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
