#include "framework/core/components/choice.h"

#include <boost/test/unit_test.hpp>

using namespace plumb;

namespace {

ComponentInfo component(const char* kind, const std::vector<std::string>& params) {
  ComponentInfo info;
  info.kind = kind;
  for (const std::string& name : params) info.params.emplace_back().name = name;
  return info;
}

Value chosen() {
  return Value::map({{"eta", 0.5}, {"isolation", "process"}, {"call_timeout", 3}});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(isolation_choice_keys)

BOOST_AUTO_TEST_CASE(the_keys_are_read_and_taken_out) {
  const ComponentInfo info = component("judge/1", {"eta"});
  BOOST_TEST(isolation_params(info).size() == 2U);
  BOOST_TEST(isolation_choice(info, chosen()).process);
  BOOST_TEST(isolation_choice(info, chosen()).call_timeout == 3);
  BOOST_TEST((without_isolation(info, chosen()) == Value::map({{"eta", 0.5}})));
  BOOST_TEST(!isolation_choice(info, Value::map({{"isolation", "none"}})).process);
  BOOST_TEST(!isolation_choice(info, Value()).process);
  BOOST_TEST(without_isolation(info, Value()).is_null());
}

BOOST_AUTO_TEST_CASE(other_kinds_have_no_such_keys) {
  for (const char* kind :
       {"optimizer/1", "generator/1", "reward-model/1", "model/1", "tokenizer/1", "data-source/1", "judge/2"}) {
    const ComponentInfo info = component(kind, {"eta"});
    BOOST_TEST(isolation_params(info).empty(), kind);
    BOOST_TEST(!isolation_choice(info, chosen()).process, kind);
    BOOST_TEST((without_isolation(info, chosen()) == chosen()), kind);
  }
}

BOOST_AUTO_TEST_CASE(a_components_own_parameters_come_first) {
  const ComponentInfo own = component("judge/1", {"isolation"});
  BOOST_TEST(!isolation_choice(own, chosen()).process);
  BOOST_TEST((without_isolation(own, chosen()) == chosen()));
  const ComponentInfo timeout = component("evaluator/1", {"call_timeout"});
  BOOST_TEST(isolation_choice(timeout, chosen()).process);
  BOOST_TEST(isolation_choice(timeout, chosen()).call_timeout == IsolationChoice{}.call_timeout);
  BOOST_TEST((without_isolation(timeout, chosen()) == Value::map({{"eta", 0.5}, {"call_timeout", 3}})));
}

BOOST_AUTO_TEST_SUITE_END()
