#include "model_file.h"

#include <limits>

#include "../test_support.h"
#include "charsmap.h"
#include "plumb/random.h"
#include "test_model.h"

using namespace plumb;
using namespace plumb::tokenizers;
using namespace plumb::tokenizers::testing;

namespace {

std::string refused(const std::string& bytes) {
  return refusal([&] { (void)parse_model_file(bytes, "m"); });
}

void has(const std::string& message, const std::string& part) {
  BOOST_TEST(message.find(part) != std::string::npos, message);
}

const std::string kUnknown = piece("<unk>", 0, PieceType::unknown);

}  // namespace

BOOST_AUTO_TEST_SUITE(model_file)

BOOST_AUTO_TEST_CASE(reads_what_it_is_given) {
  const ModelFile model =
      parse_model_file(kUnknown + piece("<s>", 0, PieceType::control) + piece("a", -1.5F) +
                           specs(ModelType::bpe, false, {false, true, ""}) + field(99, "a field of a later version"),
                       "m");
  BOOST_REQUIRE(model.pieces.size() == 3U);
  BOOST_TEST(model.pieces[2].text == "a");
  BOOST_TEST(model.pieces[2].score == -1.5F);
  BOOST_TEST((model.pieces[1].type == PieceType::control && model.type == ModelType::bpe));
  BOOST_TEST((!model.add_dummy_prefix && model.remove_extra_whitespaces && model.escape_whitespaces));
}

BOOST_AUTO_TEST_CASE(refuses_the_inputs_that_crash_the_library) {
  // One piece of 200 KB, which made libsentencepiece 0.1.97 run out of stack.
  has(refused(kUnknown + piece(std::string(200'000, 'x'))), "200000 bytes, more than 1024");
  // Rules whose root leads out of the array, which made it read out of bounds while encoding.
  std::string wild = charsmap({{"a", "b"}});
  wild.replace(4, 4, little_endian(0x1FFFFF << 10));
  has(refusal([&] { Charsmap(wild, "m"); }), "leads outside of its trie");
  // The same for the place of a replacement.
  std::string far = charsmap({{"a", "b"}});
  far.replace(4 + 4 * 512, 4, little_endian(0x80000000 | 0x7FFFFFF));
  has(refusal([&] { Charsmap(far, "m"); }), "leads outside of its replacements");
}

BOOST_AUTO_TEST_CASE(refuses_malformed_files) {
  has(refused(""), "holds no pieces");
  has(refused(piece("a")), "no unknown piece");
  has(refused(kUnknown + kUnknown), "appears twice");
  has(refused(kUnknown + piece("<unk2>", 0, PieceType::unknown)), "more than one unknown piece");
  has(refused(kUnknown + piece("")), "piece 1 is empty");
  has(refused(kUnknown + piece("\xff")), "piece 1 is not UTF-8");
  has(refused(kUnknown + piece("a", std::numeric_limits<float>::quiet_NaN())), "not finite");
  has(refused(kUnknown + piece("a", 0, static_cast<PieceType>(9))), "is of type 9");
  has(refused(kUnknown + specs(ModelType::bpe, true)), "no piece for byte 0");
  has(refused(kUnknown + specs(static_cast<ModelType>(3), false)), "model type 3 is not supported");
  has(refused(kUnknown + piece("<0xZZ>", 0, PieceType::byte)), "is not spelt like <0x0A>");
  has(refused("\x0a\x7f"), "claims 127 bytes where 0 are left");
  has(refused("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "more than 64 bits");
  has(refused("\x0b"), "wire type 3");
  has(refused(std::string("\x00\x01", 2)), "field number out of range");
  has(refused(field(1, field(2, "score"))), "stores a piece's score with wire type 2");
}

BOOST_AUTO_TEST_CASE(refuses_malformed_rules) {
  const auto bad = [](const std::string& blob) { return refusal([&] { Charsmap(blob, "m"); }); };
  has(bad("abc"), "shorter than its header");
  has(bad(little_endian(1024) + std::string(1000, 'x')), "wanted a multiple of 1024 that fits");
  has(bad(little_endian(0) + "x"), "wanted a multiple of 1024");
  has(bad(charsmap({{"a", "b"}}) + "x"), "does not end its replacements with NUL");
  has(bad(charsmap({{"a", "\xff"}})), "replacement that is not UTF-8");
}

// Any damage gives an error or a model, never a crash; run it under the sanitizers.
BOOST_AUTO_TEST_CASE(survives_random_damage) {
  std::string whole = kUnknown + piece("<s>", 0, PieceType::control);
  for (const char* text : {"\u2581", "a", "b", "ab", "\u2581ab", "c"}) whole += piece(text, -1);
  whole += specs(ModelType::unigram, false, {true, true, charsmap({{"A", "a"}, {"\u00e9", "e"}})});
  Random random(3);
  std::size_t refusals = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = whole;
    for (std::uint64_t i = 1 + random.below(4); i > 0; --i) {
      damaged[random.below(damaged.size())] = static_cast<char>(random.below(256));
    }
    if (random.below(4) == 0) damaged.resize(random.below(damaged.size()));
    try {
      const ModelFile model = parse_model_file(damaged, "m");
      const Charsmap rules(model.charsmap, "m");
      (void)rules.longest("A\u00e9b");
    } catch (const Error&) {
      ++refusals;
    }
  }
  BOOST_TEST(refusals > 1000U);
}

BOOST_AUTO_TEST_SUITE_END()
