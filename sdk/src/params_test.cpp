#include "plumb/params.h"

#include <boost/test/unit_test.hpp>

#include "plumb/registrar.h"

using plumb::ComponentRef;
using plumb::Params;
using plumb::Value;

namespace {

struct Shared {
  double rate = 1e-3;
  std::int64_t steps = 10;
};

struct Settings {
  bool on = false;
  std::int64_t count = 3;
  double eta = 0.85;
  std::string mode = "slow";
  std::string folder = "here";
  std::optional<double> tau = 2.0;
  std::vector<std::string> names;
  std::vector<double> weights{1};
  std::vector<std::string> inputs;
  ComponentRef policy{"reward-gap", {}};
  std::vector<ComponentRef> evaluators;
  std::optional<ComponentRef> judge;
  Value lora;
  Value free;
  std::string must;
  Shared shared;
};

struct Lora {
  std::int64_t r = 8;
};

Params<Settings> declare() {
  Params<Settings> p{"a test declaration", "nowhere"};
  p.add(&Settings::on, "on", "switch");
  p.add(&Settings::count, "count", "how many").at_least(1).at_most(9);
  p.add(&Settings::eta, "eta", "threshold").at_least(0.5).below(1);
  p.add(&Settings::mode, "mode", "how").choices({"slow", "fast"});
  p.add(&Settings::folder, "folder", "where").path();
  p.add(&Settings::tau, "tau", "temperature").above(0).unit("reward");
  p.add(&Settings::names, "names", "some names").choices({"red", "green"});
  p.add(&Settings::weights, "weights", "some weights").above(0);
  p.add(&Settings::inputs, "inputs", "stages").accepts({"pairs", "preferences"});
  p.add(&Settings::policy, "policy", "who selects").component("selection-policy");
  p.add(&Settings::evaluators, "evaluators", "who evaluates").component("evaluator");
  p.add(&Settings::judge, "judge", "who judges").component("judge");
  Params<Lora> lora{"adapter"};
  lora.add(&Lora::r, "r", "rank").at_least(1);
  p.add(&Settings::lora, "lora", "adapter").fields(lora.infos());
  p.add(&Settings::free, "free", "anything");
  p.add(&Settings::must, "must", "a needed text").required();
  Params<Shared> shared{"shared"};
  shared.add(&Shared::rate, "rate", "step size").above(0);
  shared.add(&Shared::steps, "steps", "updates");
  shared.check([](const Shared& s) { return s.steps == 13 ? std::string("13 steps bring bad luck") : std::string(); });
  p.include(&Settings::shared, shared);
  return p;
}

// "path: message [suggestion]" of every issue.
std::vector<std::string> issues(const std::string& json) {
  std::vector<std::string> out;
  for (const auto& issue : plumb::check_params(declare().infos(), plumb::parse_json(json))) {
    out.push_back(std::to_string(issue.mark.line) + ":" + std::to_string(issue.mark.column) + " " + issue.path + ": " +
                  issue.message + (issue.suggestion.empty() ? "" : " [" + issue.suggestion + "]"));
  }
  return out;
}

std::string only_issue(const std::string& json) {
  const auto found = issues(json);
  BOOST_REQUIRE_EQUAL(found.size(), 1u);
  return found[0];
}

}  // namespace

BOOST_AUTO_TEST_SUITE(params)

BOOST_AUTO_TEST_CASE(defaults_are_the_initialisers) {
  const Settings s = declare().parse(Value::map({{"must", "x"}}));
  BOOST_TEST(s.count == 3);
  BOOST_TEST(s.eta == 0.85);
  BOOST_TEST(*s.tau == 2.0);
  BOOST_TEST(s.policy.name == "reward-gap");
  BOOST_TEST(s.shared.rate == 1e-3);
  BOOST_TEST(!s.judge.has_value());
  BOOST_TEST(s.lora.is_null());
}

BOOST_AUTO_TEST_CASE(values_arrive) {
  const Settings s = declare().parse(plumb::parse_json(
      R"({"must": "x", "on": true, "eta": 0.9, "tau": null, "names": ["red"], "weights": [1, 2.5], "inputs": ["a"],
          "policy": {"name": "best", "k": 2}, "evaluators": ["gold", {"name": "win", "by": "rm"}], "judge": "gold",
          "lora": {}, "free": [1, "x"], "rate": 2, "steps": 7})"));
  BOOST_TEST(s.on);
  BOOST_TEST(s.eta == 0.9);
  BOOST_TEST(!s.tau.has_value());
  BOOST_TEST(s.weights == (std::vector<double>{1, 2.5}), boost::test_tools::per_element());
  BOOST_TEST(s.policy.name == "best");
  BOOST_TEST(plumb::to_json(s.policy.params) == R"({"k":2})");
  BOOST_TEST(s.evaluators.size() == 2u);
  BOOST_TEST(plumb::to_json(s.evaluators[1].params) == R"({"by":"rm"})");
  BOOST_TEST(s.judge->name == "gold");
  BOOST_TEST(plumb::to_json(s.lora) == R"({"r":8})");
  BOOST_TEST(plumb::to_json(s.free) == R"([1,"x"])");
  BOOST_TEST(s.shared.rate == 2.0);
  BOOST_TEST(s.shared.steps == 7);
}

BOOST_AUTO_TEST_CASE(two_spellings_resolve_to_one) {
  Value one, two;
  BOOST_TEST(
      plumb::check_params(declare().infos(), plumb::parse_json(R"({"must":"x","policy":"a","rate":1})"), &one).empty());
  BOOST_TEST(plumb::check_params(declare().infos(),
                                 plumb::parse_json(R"({"rate":1.0,"policy":{"name":"a"},"must":"x"})"), &two)
                 .empty());
  BOOST_TEST(plumb::to_json(one) == plumb::to_json(two));
  BOOST_TEST(plumb::to_json(one).find(R"("policy":{"name":"a"})") != std::string::npos);
  BOOST_TEST(plumb::to_json(one).find(R"("rate":1.0)") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(every_kind_of_problem) {
  BOOST_TEST(only_issue(R"({"must":"x","etta":1})").find("1:13 etta: unknown key; allowed: on, count, eta,") == 0u);
  BOOST_TEST(only_issue(R"({"must":"x","etta":1})").find("[eta]") != std::string::npos);
  BOOST_TEST(only_issue("{}") == "1:1 must: required, but missing: a needed text");
  BOOST_TEST(only_issue(R"({"must":null})") == "1:9 must: required, but null: a needed text");
  BOOST_TEST(only_issue(R"({"must":"x","on":"yes"})") == "1:18 on: found string \"yes\", wanted true or false");
  BOOST_TEST(only_issue(R"({"must":"x","count":"3"})") == "1:21 count: found string \"3\", wanted an integer");
  BOOST_TEST(only_issue(R"({"must":"x","count":3.0})") == "1:21 count: found real 3.0, wanted an integer");
  BOOST_TEST(only_issue(R"({"must":"x","count":10})") == "1:21 count: found 10, wanted at least 1 and at most 9");
  BOOST_TEST(only_issue(R"({"must":"x","count":0})") == "1:21 count: found 0, wanted at least 1 and at most 9");
  BOOST_TEST(only_issue(R"({"must":"x","eta":1})") == "1:19 eta: found 1, wanted at least 0.5 and below 1");
  BOOST_TEST(only_issue(R"({"must":"x","eta":null})") == "1:19 eta: found null, wanted a number");
  BOOST_TEST(only_issue(R"({"must":"x","tau":0})") == "1:19 tau: found 0, wanted above 0");
  BOOST_TEST(only_issue(R"({"must":"x","mode":"fst"})") ==
             "1:20 mode: found string \"fst\", wanted one of slow, fast [fast]");
  BOOST_TEST(only_issue(R"({"must":"x","folder":""})") == "1:22 folder: found string \"\", wanted a path");
  BOOST_TEST(only_issue(R"({"must":"x","names":"red"})") ==
             "1:21 names: found string \"red\", wanted a list of strings");
  BOOST_TEST(only_issue(R"({"must":"x","names":["red","blue"]})") ==
             "1:28 names[1]: found string \"blue\", wanted one of red, green");
  BOOST_TEST(only_issue(R"({"must":"x","weights":[1,-1]})") == "1:26 weights[1]: found -1, wanted above 0");
  BOOST_TEST(only_issue(R"({"must":"x","inputs":[3]})") ==
             "1:23 inputs[0]: found integer 3, wanted the name of a stage, dataset or model");
  BOOST_TEST(only_issue(R"({"must":"x","policy":{"eta":1}})") ==
             "1:22 policy: `name` is missing: the name of a selection-policy");
  BOOST_TEST(only_issue(R"({"must":"x","policy":[]})") ==
             "1:22 policy: found list, wanted the name of a selection-policy, or a map with `name`");
  BOOST_TEST(only_issue(R"({"must":"x","evaluators":[{"name":1}]})") ==
             "1:35 evaluators[0].name: found integer 1, wanted the name of an evaluator");
  BOOST_TEST(only_issue(R"({"must":"x","lora":{"rank":4}})") == "1:21 lora.rank: unknown key; allowed: r");
  BOOST_TEST(only_issue(R"({"must":"x","lora":{"r":0}})") == "1:25 lora.r: found 0, wanted at least 1");
  BOOST_TEST(only_issue("[]").find("1:1 : found list, wanted a map of parameters") == 0u);
}

BOOST_AUTO_TEST_CASE(all_problems_at_once) {
  BOOST_TEST(issues(R"({"on":1,"count":"x","mode":"quick","lora":{"r":-1},"bogus":0})").size() == 6u);
}

BOOST_AUTO_TEST_CASE(numbers_must_be_finite) {
  const auto found = plumb::check_params(
      declare().infos(), Value::map({{"must", "x"}, {"eta", std::numeric_limits<double>::quiet_NaN()}}));
  BOOST_REQUIRE_EQUAL(found.size(), 1u);
  BOOST_TEST(found[0].message == "found a number that is not finite, wanted a finite number");
}

BOOST_AUTO_TEST_CASE(parse_lists_every_problem_and_runs_the_rules) {
  BOOST_CHECK_EXCEPTION(
      static_cast<void>(declare().parse(plumb::parse_json("{\"count\": 0,\n\"etta\": 1, \"must\": \"x\"}"))),
      plumb::Error, [](const plumb::Error& e) {
        const std::string text = e.what();
        return e.code() == plumb::ErrorCode::recipe && text.find("a test declaration\n  2:1: etta:") == 0 &&
               text.find("did you mean `eta`?\n  1:11: count: found 0") != std::string::npos;
      });
  BOOST_CHECK_EXCEPTION(static_cast<void>(declare().parse(Value::map({{"must", "x"}, {"steps", 13}}))), plumb::Error,
                        [](const auto& e) { return std::string(e.what()).find("bad luck") != std::string::npos; });
}

BOOST_AUTO_TEST_CASE(nearest_names) {
  const std::vector<std::string> names{"learning_rate", "batch_size", "eta", "reward-gap"};
  BOOST_TEST(plumb::nearest_name("learning-rate", names) == "learning_rate");
  BOOST_TEST(plumb::nearest_name("learningRate", names) == "learning_rate");
  BOOST_TEST(plumb::nearest_name("lerning_rat", names) == "learning_rate");
  BOOST_TEST(plumb::nearest_name("reward_gpa", names) == "reward-gap");
  BOOST_TEST(plumb::nearest_name("eat", names) == "eta");
  BOOST_TEST(plumb::nearest_name("temperature", names) == "");
  BOOST_TEST(plumb::nearest_name("xyz", names) == "");
  BOOST_TEST(plumb::nearest_name("", names) == "");
}

BOOST_AUTO_TEST_CASE(descriptions_survive_a_round_trip) {
  const Value described = plumb::describe(declare().infos());
  const auto read = plumb::parse_description(plumb::parse_json(plumb::to_json(described)));
  BOOST_TEST(plumb::to_json(plumb::describe(read)) == plumb::to_json(described));
  BOOST_TEST(read.size() == declare().infos().size());
  // What was read back checks like what was declared.
  const Value bad =
      plumb::parse_json(R"({"count": 0, "eta": 1, "tau": 0, "lora": {"r": 0}, "names": ["x"], "inputs": [1]})");
  const auto before = plumb::check_params(declare().infos(), bad);
  const auto after = plumb::check_params(read, bad);
  BOOST_REQUIRE_EQUAL(before.size(), after.size());
  BOOST_TEST(before.size() == 7u);
  for (std::size_t i = 0; i < before.size(); ++i) BOOST_TEST(before[i].message == after[i].message);
}

namespace {

struct Thing : plumb::Component {
  static constexpr const char* kind = "thing/1";
  struct Settings {
    std::int64_t k = 1;
  };
  static Params<Settings> params() {
    Params<Settings> p{"a thing"};
    p.add(&Settings::k, "k", "size").at_least(1);
    return p;
  }
  Thing(const Settings& s, plumb::Host&) : k(s.k) {}
  std::int64_t k;
};

}  // namespace

BOOST_AUTO_TEST_CASE(registrar_keeps_entries_and_refuses_doubles) {
  plumb::Registrar registrar;
  registrar.add<Thing>("small-thing").yields({"pairs"}).needs({"reference"}).claims({"x.json"}).takes({"texts"});
  BOOST_CHECK_THROW(registrar.add<Thing>("small-thing"), plumb::Error);
  for (const char* bad : {"", "Thing", "a:b", "-a", "a b"}) BOOST_CHECK_THROW(registrar.add<Thing>(bad), plumb::Error);
  BOOST_TEST(registrar.entries().size() == 1u);
  const auto& entry = *registrar.entries()[0];
  BOOST_CHECK_THROW(entry.check(Value::map({{"k", 0}})), plumb::Error);
  entry.check(Value::map({{"k", 2}}));
  const Value described = plumb::describe(entry.info);
  BOOST_TEST(plumb::to_json(plumb::describe(plumb::parse_component(described))) == plumb::to_json(described));
  BOOST_TEST(plumb::parse_component(described).yields.at(0) == "pairs");
}

BOOST_AUTO_TEST_SUITE_END()
