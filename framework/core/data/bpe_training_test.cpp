#include "framework/core/data/bpe_training.h"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <map>

#include "framework/core/artifacts/test_folder.h"
#include "plumb/byte_level.h"
#include "plumb/random.h"
#include "plumb/value.h"

using namespace plumb;

namespace {

// The plainest trainer: counts every pair of every word again for each merge.
std::vector<std::pair<std::string, std::string>> naive_merges(const std::vector<std::string>& texts,
                                                              std::size_t merges) {
  using Pieces = std::vector<std::string>;
  const auto letters = [](std::string_view word) {
    Pieces out;
    for (const char c : word) out.push_back(to_byte_letters(std::string_view(&c, 1)));
    return out;
  };
  std::map<std::string, std::size_t> id;  // ids decide ties: the alphabet by code point, then merges in order
  for (int b = 0; b < 256; ++b) id[letters(std::string(1, static_cast<char>(b)))[0]] = 0;
  std::size_t next = 0;
  for (auto& [piece, number] : id) number = next++;  // two-byte UTF-8 sorts as its code points do
  std::vector<Pieces> words;
  for (const std::string& text : texts)
    for_each_word(text, [&](std::string_view word) { words.push_back(letters(word)); });

  std::vector<std::pair<std::string, std::string>> out;
  for (std::size_t produced = 0; produced < merges;) {
    std::map<std::pair<std::size_t, std::size_t>, std::pair<long, std::pair<std::string, std::string>>> counts;
    for (const Pieces& word : words) {
      for (std::size_t i = 0; i + 1 < word.size(); ++i) {
        auto& entry = counts[{id[word[i]], id[word[i + 1]]}];
        ++entry.first;
        entry.second = {word[i], word[i + 1]};
      }
    }
    const std::pair<long, std::pair<std::string, std::string>>* best = nullptr;
    for (const auto& [ids, entry] : counts) {
      if (best == nullptr || entry.first > best->first) best = &entry;
    }
    if (best == nullptr || best->first < 2) break;
    const auto [left, right] = best->second;
    out.emplace_back(left, right);
    if (id.try_emplace(left + right, next).second) ++next, ++produced;
    for (Pieces& word : words) {
      for (std::size_t i = 0; i + 1 < word.size(); ++i) {
        if (word[i] != left || word[i + 1] != right) continue;
        word[i] += word[i + 1];
        word.erase(word.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      }
    }
  }
  return out;
}

std::vector<std::string> random_texts(std::uint64_t seed, int count) {
  Random random(seed);
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i) {
    std::string& text = out.emplace_back();
    const std::uint64_t length = 1 + random.below(40);
    for (std::uint64_t j = 0; j < length; ++j) text += "aaabbc d!1"[random.below(10)];
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> spelt(const BpeVocabulary& vocabulary) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [left, right] : vocabulary.merges) {
    out.emplace_back(vocabulary.pieces.at(static_cast<std::size_t>(left)),
                     vocabulary.pieces.at(static_cast<std::size_t>(right)));
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bpe_training)

BOOST_AUTO_TEST_CASE(merges_as_the_plain_trainer_does) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::vector<std::string> texts = random_texts(seed, 30);
    BpeTrainer trainer;
    for (const std::string& text : texts) trainer.add(text);
    const BpeVocabulary vocabulary = trainer.train(259 + 60).value();
    const auto expected = naive_merges(texts, 60);
    BOOST_TEST(vocabulary.merges.size() == expected.size());
    BOOST_TEST((spelt(vocabulary) == expected), "seed " << seed);
  }
}

// "aaa" twice and "ab" once: aa 4 times, then aa+a 2 times; "ab" occurs once and is left.
BOOST_AUTO_TEST_CASE(stops_when_no_pair_occurs_twice) {
  BpeTrainer trainer;
  trainer.add("aaa aaa ab");
  const BpeVocabulary vocabulary = trainer.train(1000).value();
  const std::vector<std::pair<std::string, std::string>> wanted{{"a", "a"}, {"aa", "a"}};
  BOOST_TEST((spelt(vocabulary) == wanted));
  BOOST_TEST(vocabulary.pieces.size() == 261U);
  BOOST_TEST(vocabulary.pieces[0] == "<s>");
  BOOST_TEST(vocabulary.pieces[3] == "!");
}

BOOST_AUTO_TEST_CASE(too_small_or_without_text_is_refused) {
  BpeTrainer trainer;
  BOOST_TEST(static_cast<int>(trainer.train(512).error().code()) == static_cast<int>(ErrorCode::data));
  trainer.add("text");
  const auto small = trainer.train(258);
  BOOST_TEST(!small);
  BOOST_TEST(std::string(small.error().what()).find("at least 259") != std::string::npos);
  BOOST_TEST(static_cast<bool>(trainer.train(259)));
}

BOOST_AUTO_TEST_CASE(writes_files_that_name_their_tokens) {
  BpeTrainer trainer;
  trainer.add("the cat the hat");
  const test::Folder folder;
  write_tokenizer(trainer.train(270).value(), folder.path()).value();
  const auto read = [&](const char* name) {
    std::ifstream in(folder / name);
    return parse_json(std::string(std::istreambuf_iterator<char>(in), {}));
  };
  const Value json = read("tokenizer.json");
  BOOST_TEST(json.at("model").at("vocab").at("</s>").as_int() == 1);
  BOOST_TEST(json.at("added_tokens").as_list().at(2).at("content").as_string() == "<pad>");
  BOOST_TEST(json.at("pre_tokenizer").at("add_prefix_space").as_bool() == false);
  BOOST_TEST(read("tokenizer_config.json").at("pad_token").as_string() == "<pad>");
  BOOST_TEST(read("special_tokens_map.json").at("eos_token").as_string() == "</s>");
}

BOOST_AUTO_TEST_SUITE_END()
