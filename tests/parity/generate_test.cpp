// Greedy continuations against transformers' generate (goldens/greedy.json), through what `plumb generate` runs on.
#include "framework/core/door/answering.h"

#include <boost/test/unit_test.hpp>

#include "tests/parity/goldens.h"

namespace {

using namespace plumb;
using namespace plumb::test;

std::unique_ptr<Answerer> open(const std::filesystem::path& folder, const std::string& chat_format = "") {
  host().cancel = false;
  const OpenAnswerer how{.folder = folder.string(), .chat_format = chat_format};
  return std::unique_ptr<Answerer>(plumb_engine_open_answerer(how, plugins(), host()));
}

const auto unheard = [](std::string_view) {};

constexpr Sampling greedy(std::int64_t most) {
  return {.responses = 1, .max_new_tokens = most, .temperature = 0};
}

void require_continuation(const std::string& name, const std::filesystem::path& folder) {
  const Value wanted = golden_json("greedy.json").at(name);
  const std::vector<TokenId> ids = ids_of(wanted.at("ids"));
  const auto model = open(folder);
  std::string heard;
  const Answer answer =
      model->answer({.ids = ids_of(wanted.at("prompt")), .blank = true}, greedy(static_cast<std::int64_t>(ids.size())),
                    [&](std::string_view more) { heard += more; });
  BOOST_TEST(answer.ids == ids, boost::test_tools::per_element());
  BOOST_TEST(heard == answer.text);
  BOOST_TEST((answer.finish == FinishReason::length));
  if (const Value* text = wanted.find("text")) BOOST_TEST(answer.text == text->as_string());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(generation)

BOOST_AUTO_TEST_CASE(small_models_continue_as_transformers_do) {
  require_continuation("micro-llama", golden("micro-llama"));
  require_continuation("micro-neox", golden("micro-neox"));
}

BOOST_AUTO_TEST_CASE(stories260k_writes_the_same_256_tokens_and_text) {
  const auto folder = shared_data("data/stories260K-hf");
  if (folder.empty()) return;
  require_continuation("stories260K", folder);
  BOOST_TEST(open(folder)->prompt_of("").ids == std::vector<TokenId>{1}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_prompt_is_plain_text_after_one_bos) {
  const RenderedPrompt prompt = open(golden("micro-llama"))->prompt_of("w17 w45 w9 w101");
  BOOST_TEST(prompt.ids == ids_of(golden_json("greedy.json").at("micro-llama").at("prompt")),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(keeping_one_token_is_greedy_and_the_seed_decides_the_rest) {
  const auto model = open(golden("micro-llama"));
  const RenderedPrompt prompt = model->prompt_of("w17 w45 w9 w101");
  const auto ids = [&](const Sampling& sampling) { return model->answer(prompt, sampling, unheard).ids; };
  Sampling drawn{.responses = 1, .max_new_tokens = 24, .temperature = 1, .seed = 5};
  const auto first = ids(drawn);
  BOOST_TEST(ids(drawn) == first, boost::test_tools::per_element());
  drawn.seed = 6;
  BOOST_TEST((ids(drawn) != first));
  drawn.top_k = 1;
  BOOST_TEST(ids(drawn) == ids(greedy(24)), boost::test_tools::per_element());
  drawn.top_k = 0;
  drawn.top_p = 1e-9;
  BOOST_TEST(ids(drawn) == ids(greedy(24)), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_answer_ends_with_the_context) {
  const auto model = open(golden("micro-llama"));
  BOOST_REQUIRE(model->context() == 256);
  RenderedPrompt prompt{.ids = std::vector<TokenId>(250, 20)};
  prompt.ids.front() = 1;
  BOOST_TEST(model->answer(prompt, greedy(100), unheard).ids.size() == 6U);
  prompt.ids.resize(256, 20);
  const auto names_both = [](const Error& error) {
    const std::string text = error.what();
    return error.code() == ErrorCode::recipe && text.find("prompt has 256 tokens") != std::string::npos &&
           text.find("context is 256") != std::string::npos;
  };
  BOOST_CHECK_EXCEPTION(model->answer(prompt, greedy(1), unheard), Error, names_both);
}

BOOST_AUTO_TEST_CASE(a_cancelled_answer_keeps_what_was_said) {
  const auto model = open(golden("micro-llama"));
  int pieces = 0;
  const Answer answer = model->answer(model->prompt_of("w17 w45 w9 w101"), greedy(24),
                                      [&](std::string_view) { host().cancel = ++pieces == 3; });
  host().cancel = false;
  BOOST_TEST(answer.interrupted);
  BOOST_TEST(answer.ids.size() == 3U);
}

BOOST_AUTO_TEST_CASE(only_the_chat_format_of_the_folder_is_used) {
  const auto names = [](const char* part) {
    return [part](const Error& error) {
      return error.code() == ErrorCode::recipe && std::string(error.what()).find(part) != std::string::npos;
    };
  };
  const Conversation hello{{"user", "w17"}};
  BOOST_CHECK_EXCEPTION((void)open(golden("micro-llama"))->prompt_of(hello), Error, names("names no chat format"));
  BOOST_CHECK_EXCEPTION(open(golden("micro-llama"), "plane"), Error, names("there is no chat format `plane`"));
  BOOST_TEST(open(golden("micro-llama"), "plain")->prompt_of(hello).ids == (std::vector<TokenId>{1, 17}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
