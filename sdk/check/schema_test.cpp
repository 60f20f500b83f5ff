#include "sdk/check/schema_tests.h"

#include <boost/test/unit_test.hpp>

using namespace plumb;
using plumb::check::schema_breaks;

namespace {

ParamInfo real(const std::string& name, double value) {
  ParamInfo info;
  info.name = name;
  info.type = ParamType::real;
  info.default_value = value;
  return info;
}

ComponentInfo component(std::vector<ParamInfo> params) {
  ComponentInfo info;
  info.kind = "optimizer/1";
  info.name = "simpo";
  info.params = std::move(params);
  info.takes = {"pairs"};
  info.needs = {"reference"};
  return info;
}

std::vector<std::string> breaks(const ComponentInfo& before, const ComponentInfo& after) {
  return schema_breaks({before}, {after});
}

using Texts = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_SUITE(schema)

BOOST_AUTO_TEST_CASE(what_only_grows_breaks_nothing) {
  ParamInfo beta = real("beta", 2), wider = beta, steps = real("steps", 1), as_real = steps;
  beta.min = 0, beta.min_open = true, beta.max = 10;
  wider.min = 0, wider.max = 20;  // the limit itself is allowed now
  steps.type = ParamType::integer;
  steps.default_value = std::int64_t{1};
  as_real.default_value = std::int64_t{1};
  ComponentInfo after = component({wider, as_real, real("gamma", 0.5)});
  after.takes.emplace_back("preferences");
  after.needs.clear();
  BOOST_TEST(breaks(component({beta, steps}), after) == Texts{}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_a_recipe_relies_on) {
  ParamInfo beta = real("beta", 2), narrow = beta;
  narrow.min = 0, narrow.min_open = true;
  BOOST_TEST(breaks(component({beta}), component({narrow})) ==
                 (Texts{"optimizer simpo: beta: range narrowed: lower limit was none, is > 0"}),
             boost::test_tools::per_element());
  ParamInfo closed = narrow;
  closed.min_open = false;
  BOOST_TEST(breaks(component({closed}), component({narrow})).size() == 1u);  // 0 itself was allowed
  ParamInfo text = beta;
  text.type = ParamType::string;
  BOOST_TEST(breaks(component({beta}), component({text})) ==
                 (Texts{"optimizer simpo: beta: type changed from real to string"}),
             boost::test_tools::per_element());
  ParamInfo nullable = beta, unit = beta, required = beta;
  nullable.nullable = true, unit.unit = "nats", required.required = true;
  BOOST_TEST(
      breaks(component({nullable}), component({beta})) == (Texts{"optimizer simpo: beta: may no longer be null"}),
      boost::test_tools::per_element());
  BOOST_TEST(breaks(component({beta}), component({unit})).size() == 1u);
  BOOST_TEST(breaks(component({beta}), component({required})) == (Texts{"optimizer simpo: beta: now required"}),
             boost::test_tools::per_element());
  ComponentInfo after = component({});
  after.takes = {"preferences"};
  after.needs.emplace_back("judge");
  BOOST_TEST(breaks(component({}), after) ==
                 (Texts{"optimizer simpo: no longer takes pairs", "optimizer simpo: newly needs judge"}),
             boost::test_tools::per_element());
  BOOST_TEST(schema_breaks({component({})}, {}) == (Texts{"optimizer simpo: removed"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(keys_inside_a_parameter) {
  ParamInfo outer, inner = real("alpha", 1), other = real("alpha", 3);
  outer.name = "lora";
  ParamInfo changed = outer;
  outer.fields = {inner}, changed.fields = {other};
  BOOST_TEST(breaks(component({outer}), component({changed})) ==
                 (Texts{"optimizer simpo: lora.alpha: default changed from 1.0 to 3.0"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
