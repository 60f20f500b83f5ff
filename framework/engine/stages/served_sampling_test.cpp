#include "framework/engine/stages/served_sampling.h"

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "framework/core/artifacts/records_file.h"
#include "framework/core/kinds/test_stage.h"

namespace plumb {
namespace {

using test::TestStage;

struct Elsewhere final : ServedGenerator {
  void generate(std::span<const Prompt>, const Sampling&,
                const std::function<void(std::size_t, ResponseGroup&&)>&) override {}
  [[nodiscard]] std::string engine() const override { return name; }
  std::string name = "llama.cpp b1";
};

struct Serving {
  Serving() { std::filesystem::create_directories(stage.work_folder()); }
  ServedSampling sampling() { return {Made<ServedGenerator>(generator, "generator remote", "s"), stage}; }

  TestStage stage{Value::map()};
  std::shared_ptr<Elsewhere> generator = std::make_shared<Elsewhere>();
};

ResponseGroup group(const std::string& id, TokenId token) {
  return {{id, {{"user", "question"}}, {}}, {1, 7}, {{"text", {token, 2}, FinishReason::stop, {}}}, {}};
}

BOOST_AUTO_TEST_SUITE(served_sampling)

BOOST_AUTO_TEST_CASE(what_came_is_there_for_the_next_attempt) {
  Serving serving;
  {
    ServedSampling first = serving.sampling();
    BOOST_TEST(!first.take("a").has_value());
    first.keep(group("a", 5));
    first.keep(group("b", 6));
  }
  ServedSampling second = serving.sampling();
  BOOST_TEST(serving.stage.messages.back() == "2 prompts that were answered before are kept");
  const auto kept = second.take("b");
  BOOST_TEST_REQUIRE(kept.has_value());
  BOOST_TEST((kept->responses[0].ids == std::vector<TokenId>{6, 2}));
  BOOST_TEST((kept->prompt_ids == std::vector<TokenId>{1, 7}));
  BOOST_TEST(!second.take("b").has_value());
  BOOST_TEST(!second.take("c").has_value());
  second.keep(group("c", 7));
  second.finish_block();
  ServedSampling third = serving.sampling();
  for (const char* id : {"a", "b", "c"}) BOOST_TEST(!third.take(id).has_value(), id);
}

BOOST_AUTO_TEST_CASE(half_a_row_is_asked_for_again) {
  Serving serving;
  { serving.sampling().keep(group("a", 5)); }
  std::ofstream(serving.stage.work_folder() / "arrived.jsonl", std::ios::app) << R"({"id":"b","prompt)";
  ServedSampling second = serving.sampling();
  BOOST_TEST(second.take("a").has_value());
  BOOST_TEST(!second.take("b").has_value());
  second.keep(group("b", 6));
  BOOST_TEST(serving.sampling().take("b").has_value());
}

BOOST_AUTO_TEST_CASE(the_summary_says_who_drew_in_every_attempt) {
  Serving serving;
  summarise_engines(serving.stage);
  BOOST_TEST(serving.stage.summary.find("engine") == nullptr);
  ServedSampling first = serving.sampling();
  first.keep(group("a", 5));
  first.keep(group("b", 5));
  serving.generator->name = "llama.cpp b2";  // restarted, and another one
  serving.sampling().keep(group("c", 5));
  summarise_engines(serving.stage);
  BOOST_TEST(serving.stage.summary.at("engine").as_string() == "llama.cpp b1, llama.cpp b2");
  BOOST_TEST(serving.stage.summary.at("bit_reproducible").as_bool() == false);
}

BOOST_AUTO_TEST_CASE(another_generators_answers_are_no_concern) {
  TestStage stage(Value::map());
  std::filesystem::create_directories(stage.work_folder());
  ServedSampling none(Made<ServedGenerator>(), stage);
  none.keep(group("a", 5));
  BOOST_TEST(!none.take("a").has_value());
  none.finish_block();
  summarise_engines(stage);
  BOOST_TEST(stage.summary.as_map().empty());
  BOOST_TEST(std::filesystem::is_empty(stage.work_folder()));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace plumb
