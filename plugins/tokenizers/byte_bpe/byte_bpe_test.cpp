#include "byte_bpe.h"

#include <unicode/uchar.h>

#include "../test_support.h"
#include "plumb/error.h"
#include "plumb/utf8.h"

using namespace plumb;
using namespace plumb::tokenizers;
using plumb::tokenizers::testing::check_goldens;
using plumb::tokenizers::testing::refusal;
using plumb::tokenizers::testing::shared_data;
using plumb::tokenizers::testing::TemporaryFolder;

namespace {

std::unique_ptr<Tokenizer> open(const std::string& path) {
  plumb::testing::FakeHost host;
  return std::make_unique<ByteBpe>(ByteBpe::Settings{path}, host);
}

// A tokenizer.json with this model and nothing else, or with further keys.
std::string document(const std::string& model, const std::string& more = "") {
  return "{\"version\": \"1.0\",\n" + more + "\"model\": " + model + "}";
}

std::string refused(const std::string& text) {
  const TemporaryFolder folder;
  folder.write("tokenizer.json", text);
  return refusal([&] { open(folder.path()); });
}

std::vector<TokenId> ids(std::initializer_list<TokenId> list) {
  return list;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(byte_bpe)

BOOST_AUTO_TEST_CASE(gpt_neox_goldens) {
  const auto data = shared_data("data");
  if (data.empty()) return;
  const auto tokenizer = open(data / "neox-tokenizer/20B_tokenizer.json");
  BOOST_TEST(check_goldens(*tokenizer, data / "tokenizer-goldens/neox20b.jsonl") > 100u);
  BOOST_TEST(tokenizer->vocabulary_size() == 50277u);
  BOOST_TEST((tokenizer->special().bos == 0 && tokenizer->special().eos == 0 && tokenizer->special().pad == 1));
}

BOOST_AUTO_TEST_CASE(llama_goldens_from_tokenizer_json) {
  const auto data = shared_data("data");
  if (data.empty()) return;
  const auto llama = open(data / "llama2-tokenizer");
  BOOST_TEST(check_goldens(*llama, data / "tokenizer-goldens/llama2.jsonl") > 100u);
  BOOST_TEST(llama->vocabulary_size() == 32000u);
  BOOST_TEST((llama->special().unk == 0 && llama->special().bos == 1 && llama->special().eos == 2));
  BOOST_TEST(!llama->special().pad.has_value());
  const auto stories = open(data / "stories260K-hf");
  BOOST_TEST(check_goldens(*stories, data / "tokenizer-goldens/stories512.jsonl") > 100u);
}

BOOST_AUTO_TEST_CASE(special_tokens_are_text_unless_asked_for) {
  const auto data = shared_data("data");
  if (data.empty()) return;
  const auto llama = open(data / "llama2-tokenizer");
  const auto plain = llama->encode("a</s>b");
  BOOST_TEST((std::find(plain.begin(), plain.end(), 2) == plain.end()));
  BOOST_TEST(llama->decode(plain) == "a</s>b");
  const auto special = llama->encode_with_special("a</s>");
  BOOST_TEST(special == ids({263, 2}), boost::test_tools::per_element());
  BOOST_TEST(llama->decode(special) == "a");
  BOOST_TEST(llama->decode(special, true) == "a</s>");
  // "Hi" after other text has no dummy space: the pieces of "Hi", not of " Hi".
  BOOST_TEST((llama->encode("Hi", true) == ids({18567}) && llama->encode("Hi") == ids({6324})));
  BOOST_TEST(llama->piece_bytes(6324) == " Hi");
  BOOST_TEST(llama->piece_bytes(13) == "\n");
}

BOOST_AUTO_TEST_CASE(words_of_the_golden_models) {
  const auto folder = shared_data("goldens/micro-llama");
  if (folder.empty()) return;
  const auto tokenizer = open(folder);
  BOOST_TEST(tokenizer->vocabulary_size() == 128u);
  BOOST_TEST((tokenizer->special().pad == 0 && tokenizer->special().bos == 1 && tokenizer->special().eos == 2));
  const std::string four = tokenizer->piece_bytes(4), five = tokenizer->piece_bytes(5);
  BOOST_TEST(tokenizer->encode(" " + four + "\t" + five + " nosuchword") == ids({4, 5, 3}),
             boost::test_tools::per_element());
  BOOST_TEST(tokenizer->decode(ids({4, 5})) == four + " " + five);
}

BOOST_AUTO_TEST_CASE(character_classes_agree_with_icu) {
  std::size_t compared = 0;
  for (UChar32 code = 0; code < 0x110000; ++code) {
    if (u_charType(code) == U_UNASSIGNED || u_charType(code) == U_SURROGATE) continue;
    const auto kind = U_MASK(u_charType(code));
    const auto c = static_cast<char32_t>(code);
    if (is_letter(c) != ((kind & U_GC_L_MASK) != 0) || is_number(c) != ((kind & U_GC_N_MASK) != 0) ||
        is_space(c) != (u_isUWhiteSpace(code) != 0)) {
      BOOST_ERROR("class of U+" << std::hex << code);
    }
    ++compared;
  }
  BOOST_TEST(compared > 280'000u);
}

BOOST_AUTO_TEST_CASE(malformed_files_are_refused_with_their_place) {
  const auto has = [](const std::string& message, const std::string& part) {
    BOOST_TEST(message.find(part) != std::string::npos, message);
  };
  const std::string bpe = R"({"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [)";
  has(refused("{\"model\": "), "tokenizer.json:1:11");
  has(refused("[]"), "wanted map");
  has(refused(document(R"({"type": "Unigram", "vocab": []})")), "`Unigram` is not supported");
  has(refused(document(bpe + "\n\"a c\"]}")), "tokenizer.json:3:1: a merge names \"c\"");
  has(refused(document(bpe + "\"a b c\"]}")), "one space between");
  has(refused(document(bpe + "[\"a\"]]}")), "has 1 pieces");
  has(refused(document(bpe + "[\"b\", \"a\"]]}")), "\"ba\", which is not in the vocabulary");
  has(refused(document(R"({"type": "BPE", "vocab": {"a": 0, "b": 0}, "merges": []})")), "two pieces have the id 0");
  has(refused(document(R"({"type": "BPE", "vocab": {"a": -1}, "merges": []})")), "not in [0, 16777216)");
  has(refused(document(R"({"type": "BPE", "vocab": {"a": 99999999999}, "merges": []})")), "not in [0, 16777216)");
  has(refused(document(R"({"type": "BPE", "vocab": {")" + std::string(200'000, 'x') + R"(": 0}, "merges": []})")),
      "200000 bytes");
  has(refused(document(bpe + "]}",
                       R"("pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(("}, "behavior": "Isolated"},)")),
      "the pattern is malformed");
  const std::string nested = std::string(5000, '(') + "a" + std::string(5000, ')');
  has(refused(document(bpe + "]}", R"("pre_tokenizer": {"type": "Split", "pattern": {"Regex": ")" + nested +
                                       R"("}, "behavior": "Isolated"},)")),
      "the pattern is malformed");
  has(refused(document(bpe + "]}", R"("normalizer": {"type": "Precompiled"},)")), "Precompiled is not supported");
  has(refused(document(bpe + "]}", R"("added_tokens": [{"id": 5, "content": "a"}],)")), "the vocabulary gives it 0");
  has(refused(document(std::string(10'000, '['))), "deep");
  has(refusal([] { open("/nonexistent/tokenizer.json"); }), "there is no such file");
}

BOOST_AUTO_TEST_CASE(a_pattern_that_explodes_is_an_error) {
  const TemporaryFolder folder;
  folder.write(
      "tokenizer.json",
      document(R"({"type": "BPE", "vocab": {"a": 0}, "merges": []})",
               R"("pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated"},)"));
  const auto tokenizer = open(folder.path());
  const std::string message = refusal([&] { (void)tokenizer->encode(std::string(60, 'a') + "b"); });
  BOOST_TEST(message.find("match limit") != std::string::npos, message);
}

// Files of a few kilobytes that would otherwise fill the memory.
BOOST_AUTO_TEST_CASE(a_text_that_grows_without_end_is_an_error) {
  const TemporaryFolder folder;
  std::string steps, decoders;
  for (int i = 0; i < 40; ++i) {
    const char* step = R"({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"})";
    steps += std::string(i == 0 ? "" : ", ") + step;
  }
  folder.write("tokenizer.json", document(R"({"type": "BPE", "vocab": {"a": 0}, "merges": []})",
                                          R"("normalizer": {"type": "Sequence", "normalizers": [)" + steps + R"(]},
      "decoder": {"type": "Sequence", "decoders": [)" +
                                              steps + "]},"));
  const auto tokenizer = open(folder.path());
  const std::string encoding = refusal([&] { (void)tokenizer->encode("a"); });
  BOOST_TEST(encoding.find(folder.path() + "/tokenizer.json: the normalizer makes a text grow") != std::string::npos,
             encoding);
  const std::string decoding = refusal([&] { (void)tokenizer->decode(ids({0})); });
  BOOST_TEST(decoding.find("the decoder makes a text grow") != std::string::npos, decoding);
}

// As transformers 4.57's AutoTokenizer: tokenizer_config.json gives known tokens other flags and adds new ones, named
// special tokens are special, and new tokens are numbered from the end of the vocabulary.
BOOST_AUTO_TEST_CASE(tokenizer_config_has_the_last_word_on_added_tokens) {
  const TemporaryFolder folder;
  folder.write("tokenizer.json",
               document(R"({"type": "BPE", "vocab": {"a": 0, "b": 1, "</s>": 2, " ": 3}, "merges": []})",
                        R"("added_tokens": [{"id": 4, "content": "ab", "special": false, "normalized": false}],)"));
  folder.write("tokenizer_config.json", R"({"eos_token": "</s>", "added_tokens_decoder": {
      "4": {"content": "ab", "special": false, "normalized": false, "lstrip": true},
      "5": {"content": "<x>", "special": true, "normalized": false}}})");
  const auto tokenizer = open(folder.path());
  BOOST_TEST(tokenizer->vocabulary_size() == 6U);
  BOOST_TEST(tokenizer->encode("a ab<x>") == ids({0, 4}), boost::test_tools::per_element());  // no piece spells < x >
  BOOST_TEST(tokenizer->encode_with_special("a ab<x></s>b") == ids({0, 4, 5, 2, 1}), boost::test_tools::per_element());
  BOOST_TEST(tokenizer->decode(ids({0, 5, 2})) == "a");
  folder.write("tokenizer_config.json", R"({"added_tokens_decoder": {"9": {"content": "<y>", "special": true}}})");
  const std::string message = refusal([&] { open(folder.path()); });
  BOOST_TEST(message.find("\"<y>\" has id 9, but the next free one is 5") != std::string::npos, message);
}

BOOST_AUTO_TEST_CASE(names_the_special_token_that_is_missing) {
  const TemporaryFolder folder;
  folder.write("tokenizer.json", document(R"({"type": "BPE", "vocab": {"a": 0}, "merges": []})"));
  folder.write("tokenizer_config.json", R"({"pad_token": {"content": "[PAD]"}})");
  const std::string message = refusal([&] { open(folder.path()); });
  BOOST_TEST(message.find("pad_token is \"[PAD]\"") != std::string::npos, message);
}

BOOST_AUTO_TEST_SUITE_END()
