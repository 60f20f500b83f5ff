#include "framework/core/components/hand_over.h"

#include <boost/test/unit_test.hpp>

using namespace plumb;

namespace {

// A component that reads a folder, and one that does not, under a kind that feeds both.
ComponentInfo component(bool reads) {
  ComponentInfo out;
  out.kind = "reward-model/1";
  out.name = reads ? "reader" : "rule";
  ParamInfo path;
  path.name = reads ? "path" : "weight";
  path.type = reads ? ParamType::path : ParamType::real;
  out.params = {path};
  return out;
}

StageKind kind() {
  StageKind out;
  out.kind = "rate";
  out.feeds = {{.component = "reward", .input = "reward_model"}};
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(hand_over_suite)

BOOST_AUTO_TEST_CASE(a_component_that_reads_a_folder_is_fed) {
  const StageKind rate = kind();
  BOOST_REQUIRE(feed_of(rate, component(true), "reward") != nullptr);
  BOOST_TEST(feed_of(rate, component(true), "reward")->input == "reward_model");
  BOOST_TEST(feed_of(rate, component(false), "reward") == nullptr);
  BOOST_TEST(feed_of(rate, component(true), "judge") == nullptr);
  BOOST_TEST(feed_of(StageKind{}, component(true), "reward") == nullptr);
}

BOOST_AUTO_TEST_CASE(the_framework_s_kinds_feed_their_readers) {
  const auto input = [](const char* stage, const char* param) {
    const Feed* feed = feed_of(*find_stage_kind(stage), component(true), param);
    return feed == nullptr ? std::string() : feed->input;
  };
  BOOST_TEST(input("sample", "generator") == "model");
  BOOST_TEST(input("score", "reward") == "reward_model");
  BOOST_TEST(input("train", "reward") == "reward_model");
  BOOST_TEST(input("evaluate", "judge") == "reward_model");
  BOOST_TEST(input("train", "optimizer") == "");
}

BOOST_AUTO_TEST_SUITE_END()
