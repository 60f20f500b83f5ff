#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

#include "framework/core/artifacts/records_file.h"
#include "framework/core/kinds/test_stage.h"

namespace plumb {
namespace {

using test::TestStage;

// Rewards that show the block they were computed in.
struct BlockModels final : LanguageModels {
  struct Reward final : RewardHandle {
    explicit Reward(BlockModels& of) : models(of) {}
    std::vector<std::vector<double>> score(std::span<const ResponseGroup> groups) override {
      std::vector<std::vector<double>> out(groups.size());
      for (std::size_t i = 0; i < groups.size(); ++i) {
        if (models.stop_after && models.scored == *models.stop_after) {
          *models.cancel = true;
          return out;
        }
        ++models.scored;
        for (const Response& response : groups[i].responses) {
          out[i].push_back(static_cast<double>(response.text.size()) + 0.001 * static_cast<double>(groups.size()));
        }
        if (models.spoilt) out[i].back() = *models.spoilt;
      }
      return out;
    }
    // Reads four bytes of an answer.
    std::vector<std::vector<std::int64_t>> excess(std::span<const ResponseGroup> groups) override {
      std::vector<std::vector<std::int64_t>> out(groups.size());
      for (std::size_t i = 0; i < groups.size(); ++i) {
        for (const Response& response : groups[i].responses) {
          out[i].push_back(std::max<std::int64_t>(0, static_cast<std::int64_t>(response.text.size()) - 4));
        }
      }
      return out;
    }
    BlockModels& models;
  };
  std::unique_ptr<PolicyHandle> open_policy(const std::string&, const OpenOptions&) override { return nullptr; }
  std::unique_ptr<RewardHandle> open_reward(const std::string& at, const OpenOptions& how) override {
    folder = at;
    options = how;
    return std::make_unique<Reward>(*this);
  }
  std::string folder;
  OpenOptions options;
  std::size_t scored = 0;
  std::optional<std::size_t> stop_after;
  std::optional<double> spoilt;
  bool* cancel = nullptr;
};

struct Scored {
  explicit Scored(const std::string& normalise = "none", Value reward = Value::map({{"name", "classifier-head"}}))
      : stage(Value::map({{"responses", "sampled"},
                          {"reward_model", "rm"},
                          {"reward", std::move(reward)},
                          {"normalise", normalise}})) {
    model = stage.add_input("reward_model", "rm", artifact_type::reward_model);
    sampled = stage.add_input("responses", "sampled", artifact_type::responses);
    stage.models = &models;
    models.cancel = &stage.cancel;
  }
  void answer(std::size_t prompts, std::vector<std::string> texts) const {
    RowWriter rows(sampled / "responses.jsonl");
    for (std::size_t i = 0; i < prompts; ++i) {
      ResponseGroup group;
      group.prompt = {"p" + std::to_string(i), {{"user", "question"}}, {}};
      for (const std::string& text : texts) group.responses.push_back({text, {7, 2}, FinishReason::stop, std::nullopt});
      rows.write(to_value(group));
    }
  }
  std::string run() {
    run_stage("score", stage);
    return read_file(stage.folder() / "responses.jsonl").value();
  }
  TestStage stage;
  BlockModels models;
  std::filesystem::path model, sampled;
};

BOOST_AUTO_TEST_SUITE(score_stage)

BOOST_AUTO_TEST_CASE(raw_rewards_stay_as_they_came) {
  Scored scored;
  scored.answer(2, {"a", "", "four"});
  scored.run();
  BOOST_TEST(scored.models.folder == scored.model.string());
  const auto groups = read_groups(scored.stage.folder() / "responses.jsonl").value();
  BOOST_TEST_REQUIRE(groups.size() == 2U);
  BOOST_TEST(groups[1].responses[0].reward.value() == 1.002);
  BOOST_TEST(groups[1].responses[1].reward.value() == 0.002);
  BOOST_TEST(groups[1].responses[2].reward.value() == 4.002);
  BOOST_TEST(groups[1].responses[2].ids.size() == 2U);
  BOOST_TEST(scored.stage.summary.at("normalise").as_string() == "none");
  BOOST_TEST(scored.stage.summary.at("raw_mean").as_double() == 5.0 / 3 + 0.002, boost::test_tools::tolerance(1e-12));
  // of 1, 0 and 4: mean square 17/3 minus 25/9
  BOOST_TEST(scored.stage.summary.at("raw_std").as_double() == std::sqrt(17.0 / 3 - 25.0 / 9),
             boost::test_tools::tolerance(1e-12));
  BOOST_TEST(scored.stage.summary.at("raw_min").as_double() == 0.002);
  BOOST_TEST(scored.stage.summary.at("raw_max").as_double() == 4.002);
}

BOOST_AUTO_TEST_CASE(standardised_rewards_have_mean_zero_and_deviation_one) {
  Scored scored("standardise");
  scored.answer(70, {"a", "bcd"});
  scored.run();
  double sum = 0, squares = 0, count = 0;
  for (const ResponseGroup& group : read_groups(scored.stage.folder() / "responses.jsonl").value()) {
    for (const Response& response : group.responses) {
      sum += *response.reward;
      squares += *response.reward * *response.reward;
      ++count;
    }
  }
  BOOST_TEST(count == 140);
  BOOST_TEST(std::abs(sum / count) < 1e-12);
  BOOST_TEST(squares / count == 1.0, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(scored.stage.summary.at("normalise").as_string() == "standardise");
}

BOOST_AUTO_TEST_CASE(an_interrupted_file_ends_with_the_same_bytes) {
  std::string whole;
  {
    Scored scored;
    scored.answer(150, {"a", "bb"});
    whole = scored.run();
  }
  for (const std::size_t stop : {0U, 1U, 64U, 100U, 149U}) {
    Scored scored;
    scored.answer(150, {"a", "bb"});
    scored.models.stop_after = stop;
    BOOST_CHECK_THROW(scored.run(), Cancelled);
    scored.models.stop_after.reset();
    scored.stage.cancel = false;
    BOOST_TEST((scored.run() == whole), stop);
    BOOST_TEST(scored.models.scored >= 150U);
    BOOST_TEST(scored.models.scored < 150U + 64U);
  }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_scored_is_refused) {
  const auto code_of = [](Scored& scored) {
    try {
      scored.run();
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::interrupted;
  };
  Scored none;
  none.answer(2, {});
  BOOST_TEST((code_of(none) == ErrorCode::data));
  Scored nan;
  nan.answer(2, {"a"});
  nan.models.spoilt = std::numeric_limits<double>::quiet_NaN();
  BOOST_TEST((code_of(nan) == ErrorCode::plugin));
  Scored equal("standardise");
  equal.answer(2, {"a", "b"});
  BOOST_TEST((code_of(equal) == ErrorCode::data));
}

// Of answers of 1, 5 and 8 bytes to each of three prompts, the reward model reads four bytes.
BOOST_AUTO_TEST_CASE(what_is_too_long_is_refused_at_once_left_out_or_cut) {
  const auto with = [](const char* overlong) {
    return Value::map({{"name", "classifier-head"}, {"overlong", overlong}, {"chat_format", "oasst"}});
  };
  Scored error("none", with("error"));
  error.answer(3, {"a", "bbbbb", "cccccccc"});
  std::string message;
  try {
    error.run();
  } catch (const Error& refused) {
    BOOST_TEST((refused.code() == ErrorCode::data));
    message = refused.what();
  }
  BOOST_TEST(message.find("6 answers to 3 of 3 prompts are longer than the reward model reads, first prompt p0 by 4 "
                          "tokens; nothing was scored") == 0,
             message);
  BOOST_TEST(error.models.scored == 0U);

  Scored drop("none", with("drop"));
  drop.answer(3, {"a", "bbbbb", "cccccccc"});
  drop.run();
  BOOST_TEST(drop.models.options.chat_format == "oasst");
  BOOST_TEST(!drop.models.options.truncate_left);
  const auto left = read_groups(drop.stage.folder() / "responses.jsonl").value();
  BOOST_REQUIRE(left.size() == 3U);
  for (const ResponseGroup& group : left) {
    BOOST_REQUIRE(group.responses.size() == 1U);
    BOOST_TEST(group.responses[0].text == "a");
  }
  BOOST_TEST(drop.stage.summary.at("responses").as_int() == 3);
  BOOST_TEST(drop.stage.summary.at("overlong_dropped").as_int() == 6);
  BOOST_TEST(drop.stage.summary.at("overlong_prompts").as_int() == 3);
  BOOST_TEST(drop.stage.summary.at("prompts_without_answer").as_int() == 0);
  BOOST_TEST(drop.stage.messages.size() == 1U);

  Scored cut("none", with("truncate-left"));
  cut.answer(3, {"a", "bbbbb"});
  cut.run();
  BOOST_TEST(cut.models.options.truncate_left);
  BOOST_TEST(cut.stage.summary.at("responses").as_int() == 6);
  BOOST_TEST(cut.stage.summary.at("overlong_cut").as_int() == 3);

  Scored nothing("none", with("drop"));
  nothing.answer(2, {"bbbbb"});
  BOOST_CHECK_THROW(nothing.run(), Error);  // no answer is left to be scored
}

BOOST_AUTO_TEST_CASE(dropping_goes_on_where_it_stopped) {
  const Value reward = Value::map({{"name", "classifier-head"}, {"overlong", "drop"}});
  Scored whole("none", reward), stopped("none", reward);
  for (Scored* scored : {&whole, &stopped}) scored->answer(150, {"a", "bbbbb", "bb"});
  const std::string wanted = whole.run();
  stopped.models.stop_after = 100;
  BOOST_CHECK_THROW(stopped.run(), Cancelled);
  stopped.models.stop_after.reset();
  stopped.stage.cancel = false;
  BOOST_TEST((stopped.run() == wanted));
  BOOST_TEST(stopped.stage.summary.at("overlong_dropped").as_int() == 150);
}

BOOST_AUTO_TEST_CASE(rewards_of_16_bit_layers_say_what_a_16_bit_head_would_do) {
  Scored scored("none", Value::map({{"name", "classifier-head"}, {"dtype", "bfloat16"}}));
  scored.answer(2, {"a", "b", "four"});  // 1.002 twice, 4.002
  scored.run();
  BOOST_TEST(scored.stage.summary.at("distinct_rewards").as_int() == 2);
  const Value& rounded = scored.stage.summary.at("rounded_to_bfloat16");
  BOOST_TEST(rounded.at("distinct_rewards").as_int() == 2);
  BOOST_TEST(rounded.at("pairs_that_differ").as_int() == 4);
  BOOST_TEST(rounded.at("share_of_them_tied").as_double() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace plumb
