// Descriptions that hold and descriptions that cannot.
#include <boost/test/unit_test.hpp>
#include <limits>

#include "plumb/description.h"

using plumb::ComponentInfo;

namespace {

ComponentInfo component(const char* kind) {
  ComponentInfo info;
  info.kind = kind;
  info.name = "thing";
  return info;
}

plumb::ParamInfo parameter(const char* name, plumb::ParamType type, plumb::Value otherwise) {
  plumb::ParamInfo info;
  info.name = name;
  info.type = type;
  info.default_value = std::move(otherwise);
  return info;
}

std::string wrong_params(std::vector<plumb::ParamInfo> params) {
  ComponentInfo info = component("judge/1");
  info.params = std::move(params);
  return plumb::wrong_description(info);
}

ComponentInfo optimizer(const char* by, std::vector<std::string> takes, std::vector<std::string> needs,
                        std::vector<std::string> yields = {}) {
  ComponentInfo info = component("optimizer/1");
  info.batch = {by, "things", std::move(takes), std::move(needs), std::move(yields)};
  info.takes = info.batch.takes;
  info.yields = info.batch.yields;
  return info;
}

std::string wrong_needs(const char* kind, std::vector<std::string> needs, std::vector<std::string> takes = {}) {
  ComponentInfo info = component(kind);
  info.needs = std::move(needs);
  info.takes = std::move(takes);
  info.params.push_back(parameter("key_from", plumb::ParamType::string, ""));
  return plumb::wrong_description(info);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(description_rules)

BOOST_AUTO_TEST_CASE(needs_are_taken_apart) {
  BOOST_TEST(plumb::parse_need("judge:score|text").what == "judge");
  BOOST_TEST(plumb::parse_need("judge:score|text").detail == "score|text");
  BOOST_TEST(plumb::parse_need("reference").what == "reference");
  BOOST_TEST(plumb::parse_need("reference").detail == "");
}

BOOST_AUTO_TEST_CASE(words_that_mean_something_hold) {
  BOOST_TEST(wrong_needs("evaluator/1", {"judge", "judge:score", "judge:preference|text", "reward-model", "baseline",
                                         "one-answer"}) == "");
  BOOST_TEST(wrong_needs("judge/1", {"environment:key_from", "language-models"}) == "");
  BOOST_TEST(wrong_needs("kind-of-tomorrow/1", {"anything"}) == "");
}

BOOST_AUTO_TEST_CASE(words_that_mean_nothing_are_named) {
  const auto has = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  BOOST_TEST(has(wrong_needs("evaluator/1", {"judge:scores"}), "`scores` means nothing here; known: score"));
  BOOST_TEST(has(wrong_needs("selection-policy/1", {}, {"paris"}), "takes: `paris`"));
  BOOST_TEST(wrong_needs("judge/1", {"environment:key"}) ==
             "needs: `environment:key` names no parameter that is a string");
}

BOOST_AUTO_TEST_CASE(an_optimizer_says_what_its_class_leaves_open) {
  ComponentInfo info = optimizer("PairwiseOptimizer", {"pairs", "preferences"}, {"reference"});
  BOOST_TEST(plumb::wrong_description(info) == "");
  info.takes = {"pairs"};
  info.needs = {"reference"};
  BOOST_TEST(plumb::wrong_description(info) == "");
  info.needs = {"refrence"};
  BOOST_TEST(
      plumb::wrong_description(info) ==
      "needs: `refrence` means nothing to a class derived from PairwiseOptimizer; known: reference; did you mean "
      "`reference`?");
  info.needs = {"reward-model"};  // data that have rewards need no model of them
  BOOST_TEST(plumb::wrong_description(info).find("needs: `reward-model` means nothing to") == 0u);
  info.needs = {};
  info.takes = {"prompts"};
  BOOST_TEST(plumb::wrong_description(info).find("takes: `prompts` means nothing to") == 0u);
  info.takes = {};
  BOOST_TEST(plumb::wrong_description(info).find("takes: nothing") == 0u);
  info.takes = {"pairs"};
  info.yields = {"reward-model"};
  BOOST_TEST(plumb::wrong_description(info).find("yields: `reward-model` means nothing to") == 0u);
  info = optimizer("ScoreOptimizer", {"pairs"}, {}, {"reward-model"});
  BOOST_TEST(plumb::wrong_description(info) == "");
  info.yields = {};
  BOOST_TEST(plumb::wrong_description(info) == "yields: a class derived from ScoreOptimizer makes reward-model");
  BOOST_TEST(plumb::wrong_description(component("optimizer/1")).find("its class is none of those") == 0u);
}

BOOST_AUTO_TEST_CASE(parameters_that_no_recipe_could_set_are_named) {
  using plumb::ParamType;
  BOOST_TEST(wrong_params({parameter("a", ParamType::integer, 1), parameter("b", ParamType::real, 0.5)}) == "");
  BOOST_TEST(wrong_params({parameter("name", ParamType::string, "")}).find("parameter name: `name` names") == 0u);
  BOOST_TEST(wrong_params({parameter("a", ParamType::integer, 1), parameter("a", ParamType::integer, 1)}) ==
             "parameter a: declared twice");
  BOOST_TEST(wrong_params({parameter("a", ParamType::real, std::numeric_limits<double>::quiet_NaN())}) ==
             "parameter a: the default is not finite");
  plumb::ParamInfo low = parameter("a", ParamType::integer, -1);
  low.min = 0;
  BOOST_TEST(wrong_params({low}) == "parameter a: the default -1 is out of range");
  low.max = -5;
  BOOST_TEST(wrong_params({low}) == "parameter a: no value is above 0 and below -5");
  plumb::ParamInfo nested = parameter("outer", ParamType::value, {});
  nested.fields = {parameter("Inner", ParamType::integer, 1)};
  BOOST_TEST(wrong_params({nested}).find("parameter outer.Inner: a name has lower-case letters") == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
