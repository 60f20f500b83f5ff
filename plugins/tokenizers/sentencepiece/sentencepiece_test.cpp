#include "sentencepiece.h"

#include "../test_support.h"
#include "test_model.h"

using namespace plumb;
using namespace plumb::tokenizers;
using namespace plumb::tokenizers::testing;

namespace {

using Ids = std::vector<TokenId>;

std::unique_ptr<Tokenizer> open(const std::string& path) {
  plumb::testing::FakeHost host;
  return std::make_unique<SentencePiece>(SentencePiece::Settings{path}, host);
}

// A model of these pieces after <unk> 0, <s> 1, </s> 2.
std::unique_ptr<Tokenizer> made(ModelType type, const std::vector<std::pair<std::string, float>>& pieces,
                                const Rules& rules = {}, const std::string& more = "") {
  const TemporaryFolder folder;
  std::string bytes = piece("<unk>", 0, PieceType::unknown) + piece("<s>", 0, PieceType::control) +
                      piece("</s>", 0, PieceType::control);
  for (const auto& [text, score] : pieces) bytes += piece(text, score);
  folder.write("tokenizer.model", bytes + more + specs(type, false, rules));
  return open(folder.path());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sentencepiece)

BOOST_AUTO_TEST_CASE(llama_goldens) {
  const auto data = shared_data("data");
  if (data.empty()) return;
  const auto llama = open(data / "llama2-tokenizer");
  BOOST_TEST(check_goldens(*llama, data / "tokenizer-goldens/llama2.jsonl") > 100U);
  BOOST_TEST(llama->vocabulary_size() == 32000U);
  BOOST_TEST((llama->special().unk == 0 && llama->special().bos == 1 && llama->special().eos == 2));
  BOOST_TEST(!llama->special().pad.has_value());
  BOOST_TEST(check_goldens(*open(data / "stories260K-hf/tokenizer.model"),
                           data / "tokenizer-goldens/stories512.jsonl") > 100U);
}

BOOST_AUTO_TEST_CASE(special_tokens_continuations_and_bytes_of_llama) {
  const auto data = shared_data("data");
  if (data.empty()) return;
  const auto llama = open(data / "llama2-tokenizer");
  BOOST_TEST((llama->encode("Hi") == Ids{6324} && llama->encode("Hi", true) == Ids{18567}));
  BOOST_TEST((llama->encode_with_special("a</s>b") == Ids{263, 2, 289}));
  const Ids plain = llama->encode("a</s>b");
  BOOST_TEST((std::find(plain.begin(), plain.end(), 2) == plain.end()));
  BOOST_TEST(llama->decode(plain) == "a</s>b");
  BOOST_TEST(llama->decode(Ids{1, 6324, 2}) == "Hi");
  BOOST_TEST(llama->decode(Ids{1, 6324, 2}, true) == "<s> Hi</s>");
  BOOST_TEST(llama->piece_bytes(6324) == " Hi");
  BOOST_TEST(llama->piece_bytes(13) == "\n");
  // U+1F642 in four byte pieces; cut off after three, each byte is one replacement, as in the library.
  const Ids smile = llama->encode("\U0001F642", true);
  BOOST_TEST(smile.size() == 4U);
  BOOST_TEST(llama->decode(smile) == "\U0001F642");
  BOOST_TEST(llama->decode(std::span(smile).first(3)) == "\uFFFD\uFFFD\uFFFD");
}

// By hand: a+b (score -1) before b+c (-2); of two equal merges the leftmost.
BOOST_AUTO_TEST_CASE(bpe_merges_by_score_then_from_the_left) {
  const std::vector<std::pair<std::string, float>> pieces{{"\u2581", -9}, {"a", -9},  {"b", -9},
                                                          {"c", -9},      {"ab", -1}, {"bc", -2}};
  const auto t = made(ModelType::bpe, pieces, {.dummy_prefix = false});
  BOOST_TEST((t->encode("abc") == Ids{7, 6}));
  BOOST_TEST((t->encode("bcab") == Ids{8, 7}));
  const auto aa = made(ModelType::bpe, {{"a", -9}, {"aa", -1}}, {.dummy_prefix = false});
  BOOST_TEST((aa->encode("aaa") == Ids{4, 3}));
  BOOST_TEST((t->encode("axxb") == Ids{4, 0, 5}));  // a run of unknown characters is one token
  BOOST_TEST(t->decode(Ids{4, 0, 5}) == "a \u2047 b");
}

// By hand: the sums are ab+c = -3, a+bc = -2.5, a+b+c = -6.
BOOST_AUTO_TEST_CASE(unigram_takes_the_best_path) {
  const auto t =
      made(ModelType::unigram, {{"a", -2}, {"b", -2}, {"c", -2}, {"ab", -1}, {"bc", -0.5F}}, {.dummy_prefix = false});
  BOOST_TEST((t->encode("abc") == Ids{3, 7}));
  BOOST_TEST((t->encode("ab") == Ids{6}));
  BOOST_TEST((t->encode("a?c") == Ids{3, 0, 5}));
}

BOOST_AUTO_TEST_CASE(user_defined_and_unused_pieces) {
  const auto t = made(ModelType::bpe, {{"a", -9}, {"b", -9}}, {.dummy_prefix = false},
                      piece("ab", -1, PieceType::unused) + piece("bb", -5, PieceType::user_defined) + piece("aab", -1));
  BOOST_TEST((t->encode("ab") == Ids{3, 4}));   // an unused piece is taken apart again
  BOOST_TEST((t->encode("aab") == Ids{7}));     // but it may be part of another
  BOOST_TEST((t->encode("abb") == Ids{3, 6}));  // a user-defined piece is whole
}

BOOST_AUTO_TEST_CASE(rules_and_white_space) {
  const std::string rules = charsmap({{"A", "a"}, {"\ufb01", "b"}, {"\t", " "}, {"x", ""}, {"AB", "c"}});
  const std::vector<std::pair<std::string, float>> pieces{{"\u2581", -1}, {"a", -1}, {"b", -1}, {"c", -1}};
  const auto t = made(ModelType::unigram, pieces, {true, true, rules});
  BOOST_TEST((t->encode("Aa") == Ids{3, 4, 4}));
  BOOST_TEST((t->encode("ABx\ufb01") == Ids{3, 6, 5}));      // the longest rule; nothing stands for x
  BOOST_TEST((t->encode("  a \t b  ") == Ids{3, 4, 3, 5}));  // runs of white space become one, none at the ends
  BOOST_TEST(t->encode(" \t ").empty());
  BOOST_TEST((t->encode("a", true) == Ids{4} && t->encode(" a", true) == Ids{3, 4}));
  BOOST_TEST(t->decode(Ids{3, 4, 3, 5}) == "a b");
  const auto keeps = made(ModelType::unigram, pieces, {true, false, ""});
  BOOST_TEST((keeps->encode(" a  b") == Ids{3, 3, 4, 3, 3, 5}));
  BOOST_TEST(keeps->decode(Ids{3, 3, 4, 3, 3, 5}) == " a  b");
}

// transformers 4.57.3, AutoTokenizer.from_pretrained on a folder of these two files, encode without special tokens.
BOOST_AUTO_TEST_CASE(added_tokens_of_a_folder_without_tokenizer_json) {
  const auto data = shared_data("data/stories260K-hf/tokenizer.model");
  if (data.empty()) return;
  const TemporaryFolder folder;
  std::filesystem::copy_file(data, folder.path() + "/tokenizer.model");
  const auto with = [&](const std::string& more) {
    folder.write("tokenizer_config.json",
                 R"({"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>",
      "unk_token": "<unk>", "added_tokens_decoder": {
      "512": {"content": "acetaminophen", "normalized": true, "special": false},
      "513": {"content": "<obs>", "normalized": false, "special": false},
      "514": {"content": "<sep>", "normalized": false, "special": true, "lstrip": true, "rstrip": true}})" +
                     more + "}");
    return open(folder.path());
  };
  const auto legacy = with("");
  const auto is = [](const Tokenizer& t, const char* text, const Ids& wanted) {
    BOOST_TEST_CONTEXT(text) {
      BOOST_TEST(t.encode_with_special(text) == wanted, boost::test_tools::per_element());
    }
  };
  is(*legacy, "take acetaminophen now", {259, 412, 354, 512, 297, 327});
  is(*legacy, "I <sep> you </s>once", {359, 514, 364, 410, 2, 353, 331});
  is(*legacy, "a <obs> b", {261, 410, 513, 410, 268});
  is(*legacy, "xacetaminophens", {410, 444, 412, 429, 316, 314, 271, 414, 427, 260, 416, 419});
  const auto current = with(R"(, "legacy": false)");
  is(*current, "take acetaminophen now", {259, 412, 354, 410, 512, 297, 327});
  is(*current, "I <sep> you </s>once", {359, 514, 422, 277, 410, 2, 289, 331});
  is(*current, "a <obs> b", {261, 410, 513, 268});
  is(*current, "  two", {410, 259, 424, 414});
  is(*current, "xacetaminophens", {410, 444, 512, 419});
  const auto bare = with(R"(, "add_prefix_space": false)");
  is(*bare, "Hello you", {440, 411, 306, 414, 364});
  is(*bare, "I <sep> you </s>once", {442, 514, 422, 277, 410, 2, 289, 331});
  // Typed by a user, a token that is not special is still one; a special one is text.
  const Ids typed = legacy->encode("I <sep> <obs>");
  BOOST_TEST((std::find(typed.begin(), typed.end(), 514) == typed.end() && typed.back() == 513));
}

BOOST_AUTO_TEST_CASE(added_tokens_follow_the_model) {
  const TemporaryFolder folder;
  folder.write("tokenizer.model", piece("<unk>", 0, PieceType::unknown) + piece("<s>", 0, PieceType::control) +
                                      piece("</s>", 0, PieceType::control) + piece("a", -1) +
                                      specs(ModelType::bpe, false, {false}));
  folder.write("added_tokens.json", R"({"<pad>": 4})");
  folder.write("tokenizer_config.json",
               R"({"bos_token": {"content": "<s>"}, "eos_token": "</s>", "pad_token": "<pad>"})");
  const auto t = open(folder.path());
  BOOST_TEST(t->vocabulary_size() == 5U);
  BOOST_TEST((t->special().pad == 4 && t->special().bos == 1 && !t->special().unk));
  BOOST_TEST((t->encode_with_special("a<pad>a") == Ids{3, 4, 3}));
  BOOST_TEST((t->find("<pad>") == 4 && t->piece_bytes(4) == "<pad>"));
  BOOST_TEST((t->files() == std::vector<std::string>{"tokenizer.model", "tokenizer_config.json", "added_tokens.json"}));
  folder.write("added_tokens.json", R"({"<pad>": 6})");
  BOOST_TEST(refusal([&] { open(folder.path()); }).find("the next free one is 4") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
