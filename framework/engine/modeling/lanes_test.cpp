#include "framework/engine/modeling/lanes.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

namespace plumb {
namespace {

using lanes::Machine;

std::vector<Machine> machines() {
  std::vector<Machine> all{Machine::plain};
  if (lanes::machine() != Machine::plain) all.push_back(Machine::avx2);
  if (lanes::machine() == Machine::avx512) all.push_back(Machine::avx512);
  return all;
}

float exp_of(float x, Machine machine) {
  float out[lanes::width];
  lanes::on(machine, [&]() PLUMB_INLINE { lanes::store(out, lanes::exp(lanes::splat(x))); });
  for (float one : out) BOOST_TEST((one == out[0] || (std::isnan(one) && std::isnan(out[0]))));
  return out[0];
}

}  // namespace

BOOST_AUTO_TEST_SUITE(vector_lanes)

BOOST_AUTO_TEST_CASE(exponentials_are_those_of_the_standard_library) {
  for (const Machine machine : machines()) {
    for (float x = -86.9F; x <= 88; x += 0.37F) {
      const float wanted = std::exp(x), ulp = std::nextafter(wanted, INFINITY) - wanted;
      BOOST_TEST(std::abs(exp_of(x, machine) - wanted) <= 2 * ulp, "e^" << x);
    }
    BOOST_TEST(exp_of(-87.5F, machine) == 0.0F);
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_number_stays_none) {
  for (const Machine machine : machines()) {
    BOOST_TEST(std::isnan(exp_of(NAN, machine)));
    BOOST_TEST(std::isnan(exp_of(-NAN, machine)));
    BOOST_TEST(std::isnan(exp_of(INFINITY, machine)));
    BOOST_TEST(exp_of(-INFINITY, machine) == 0.0F);
  }
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace plumb
