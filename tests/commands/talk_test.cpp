// `plumb generate` and `plumb chat` on a small golden model.
#include <boost/test/unit_test.hpp>

#include "plumb/value.h"
#include "tests/commands/command.h"

namespace {

using namespace plumb;
using namespace plumb::test;
namespace fs = std::filesystem;

const fs::path goldens = fs::path(PLUMB_SOURCE_DIR) / "tests" / "parity" / "goldens";
const std::string model = (goldens / "micro-llama").string();

Value greedy_golden() {
  return parse_json(read_file(goldens / "greedy.json").value(), "greedy.json").at("micro-llama");
}

// The golden model as one that was trained with a chat format.
struct Talker {
  Talker() {
    fs::copy(model, folder / "model");
    write_file(folder / "model" / "plumb.json", R"({"chat_format": "plain"})").value();
  }
  Outcome chat(const std::string& lines, std::vector<std::string> more = {"--max-new-tokens", "6"}) const {
    std::vector<std::string> arguments{"chat", (folder / "model").string(), "--greedy"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return plumb_command(arguments, lines);
  }
  Value generate(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments{"generate", (folder / "model").string(), "--greedy",
                                       "--json",   "--max-new-tokens",          "6"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome out = plumb_command(arguments);
    BOOST_REQUIRE_MESSAGE(out.status == 0, out.errors);
    return parse_json(out.text, "standard output");
  }
  Folder folder;
};

void require_refused(const std::vector<std::string>& arguments, int status, const std::vector<std::string>& parts) {
  const Outcome out = plumb_command(arguments);
  BOOST_TEST(out.status == status, out.errors);
  BOOST_TEST(out.text.empty(), out.text);
  for (const std::string& part : parts) BOOST_TEST(out.errors.find(part) != std::string::npos, out.errors);
}

std::string words(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "w20 ";
  return text;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(talk)

BOOST_AUTO_TEST_CASE(generate_prints_the_golden_continuation) {
  const Value golden = greedy_golden();
  const Outcome out =
      plumb_command({"generate", model, "--prompt", "w17 w45 w9 w101", "--greedy", "--max-new-tokens", "24", "--json"});
  BOOST_REQUIRE_MESSAGE(out.status == 0, out.errors);
  const Value answer = parse_json(out.text, "standard output");
  BOOST_TEST((answer.at("ids") == golden.at("ids")));
  BOOST_TEST((answer.at("prompt_ids") == golden.at("prompt")));
  BOOST_TEST(answer.at("finish").as_string() == "length");
}

BOOST_AUTO_TEST_CASE(an_empty_prompt_starts_from_bos_alone) {
  for (const char* spelling : {"--prompt=", "--prompt"}) {
    std::vector<std::string> arguments{"generate", model, "--json", "--max-new-tokens", "1", spelling};
    if (arguments.back() == "--prompt") arguments.emplace_back();
    const Outcome out = plumb_command(arguments);
    BOOST_REQUIRE_MESSAGE(out.status == 0, out.errors);
    BOOST_TEST((parse_json(out.text, "standard output").at("prompt_ids") == Value::list({1})));
  }
}

BOOST_AUTO_TEST_CASE(the_stored_chat_format_writes_the_prompt_unless_raw) {
  const Talker talker;
  const Outcome other =
      plumb_command({"generate", (talker.folder / "model").string(), "--chat-format", "llama-2", "--prompt", "w17"});
  BOOST_TEST(other.status == 2);
  BOOST_TEST(other.errors.find("was trained with chat format `plain`") != std::string::npos, other.errors);
  const Outcome given = plumb_command({"generate", model, "--json", "--chat-format", "llama-2", "--prompt", "w17"});
  // [INST] and [/INST] are unknown words to this tokenizer.
  BOOST_TEST((parse_json(given.text, "standard output").at("prompt_ids") == Value::list({1, 3, 17, 3})), given.text);
  BOOST_TEST((talker.generate({"--prompt", "w17 </s>", "--raw"}).at("prompt_ids") == Value::list({1, 17, 2})));
  const Value system = talker.generate({"--prompt", "w17", "--system", "w9"});
  BOOST_TEST((system.at("prompt_ids") == Value::list({1, 9, 17})));
}

BOOST_AUTO_TEST_CASE(generate_refuses_what_it_cannot_do) {
  require_refused({"generate", "/no/such/folder", "--prompt", "x"}, 4, {"/no/such/folder: there is no such folder"});
  require_refused({"generate", model}, 2, {"an argument is missing"});
  require_refused({"generate", model, "--prompt", words(300)}, 2, {"prompt has 301 tokens", "context is 256"});
  require_refused({"generate", model, "--prompt", "w17", "--system", "w9"}, 2, {"--chat-format"});
  require_refused({"generate", model, "--prompt", "w17", "--system", "w9", "--raw"}, 2, {"--system and --raw"});
  require_refused({"generate", model, "--prompt", "w17", "--greedy", "--temperature", "0.5"}, 2, {"--temperature"});
  require_refused({"generate", model, "--prompt", "w17", "--top-p", "0"}, 2, {"--top-p must be above 0"});
  require_refused({"generate", model, "--prompt", "w17", "--chat-format", "plane"}, 2, {"`plane`", "llama-2, hh"});
  require_refused({"generate", (goldens / "micro-neox-rm").string(), "--prompt", "w17"}, 4, {"micro-neox-rm"});
}

BOOST_AUTO_TEST_CASE(chat_keeps_the_conversation) {
  const Talker talker;
  const Outcome out = talker.chat("w17 w45\nw30\n");
  BOOST_REQUIRE_MESSAGE(out.status == 0, out.errors);
  const std::string first = talker.generate({"--prompt", "w17 w45"}).at("text").as_string();
  const std::string history = "w17 w45 " + first + " </s> w30";
  const Value second = talker.generate({"--raw", "--prompt", history});
  const std::string lines =
      plumb_command({"generate", model, "--greedy", "--max-new-tokens", "6", "--prompt", "w17 w45"}).text +
      plumb_command({"generate", model, "--greedy", "--max-new-tokens", "6", "--prompt", history}).text;
  BOOST_TEST(second.at("prompt_ids").as_list().size() == 3U + 6U + 2U);
  BOOST_TEST(out.text == lines);
}

BOOST_AUTO_TEST_CASE(reset_forgets_and_quit_ends) {
  const Talker talker;
  const Outcome out = talker.chat("w17 w45\n/reset\nw17 w45\n/quit\nw17 w45\n");
  BOOST_REQUIRE_MESSAGE(out.status == 0, out.errors);
  const std::size_t half = out.text.size() / 2;
  BOOST_TEST(half > 0U);
  BOOST_TEST(out.text.substr(0, half) == out.text.substr(half));
  const Outcome together = talker.chat("w17 w45\nw17 w45\n");
  BOOST_TEST(together.text != out.text);
}

BOOST_AUTO_TEST_CASE(a_system_message_stands_before_the_conversation) {
  const Talker talker;
  const Outcome set = talker.chat("/system w9 w12\nw17\n"),
                given = talker.chat("w17\n", {"--max-new-tokens", "6", "--system", "w9 w12"});
  BOOST_REQUIRE_MESSAGE(set.status == 0, set.errors);
  BOOST_TEST(set.text == given.text);
  BOOST_TEST(set.text != talker.chat("w17\n").text);
  BOOST_TEST(talker.chat("/system w9\n/system\nw17\n").text == talker.chat("w17\n").text);
  const Outcome refused = plumb_command({"chat", model, "--chat-format", "hh"}, "/system w9\n");
  BOOST_TEST(refused.status == 2);
  BOOST_TEST(refused.errors.find("no place for a system message") != std::string::npos, refused.errors);
}

BOOST_AUTO_TEST_CASE(a_conversation_that_is_too_long_is_refused_with_nothing_dropped) {
  const Talker talker;
  const Outcome out = talker.chat("w17\n" + words(260) + "\nw18\n");
  BOOST_TEST(out.status == 2);
  BOOST_TEST(out.errors.find("has 269 tokens") != std::string::npos, out.errors);  // 1 + 1 + 6 + 1 + 260
  BOOST_TEST(out.errors.find("context is 256") != std::string::npos, out.errors);
  BOOST_TEST(out.text == talker.chat("w17\n").text);
}

BOOST_AUTO_TEST_CASE(chat_refuses_a_model_without_chat_format_and_unknown_commands) {
  require_refused({"chat", model}, 2, {"names no chat format", "llama-2, hh, oasst, alpaca, plain"});
  const Talker talker;
  const Outcome out = talker.chat("/undo\n");
  BOOST_TEST(out.status == 2);
  BOOST_TEST(out.errors.find("/reset") != std::string::npos, out.errors);
}

BOOST_AUTO_TEST_SUITE_END()
