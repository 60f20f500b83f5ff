#include "framework/core/sweep/sweep_order.h"

#include <boost/test/unit_test.hpp>
#include <set>

using plumb::SweepOrder;

namespace {

struct Store {
  std::set<std::string> there;
  bool operator()(const std::string& key) const { return there.count(key) != 0; }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(sweep_order)

BOOST_AUTO_TEST_CASE(an_arm_waits_while_another_makes_what_it_needs) {
  // Two seeds with two arms each: what the arms of a seed share is `sft1` and `sft2`.
  SweepOrder order({{"sft1", "a"}, {"sft1", "b"}, {"sft2", "c"}, {"sft2", "d"}});
  Store store;
  BOOST_TEST(*order.next(store) == 0U);
  BOOST_TEST(*order.next(store) == 2U);  // arm 1 would make sft1 a second time
  BOOST_TEST(!order.next(store));
  store.there = {"sft1"};
  BOOST_TEST(*order.next(store) == 1U);
  BOOST_TEST(!order.next(store));
  store.there = {"sft1", "a", "sft2", "c"};
  order.finished(0, "");
  order.finished(2, "");
  BOOST_TEST(*order.next(store) == 3U);
  BOOST_TEST(order.waiting() == 0U);
}

BOOST_AUTO_TEST_CASE(arms_without_missing_stages_start_at_once) {
  SweepOrder order({{"x"}, {}, {"x"}});
  Store store;
  BOOST_TEST(*order.next(store) == 0U);
  BOOST_TEST(*order.next(store) == 1U);
  BOOST_TEST(!order.next(store));
  order.finished(0, "");  // interrupted: x is still missing, and now it is the other arm's turn
  BOOST_TEST(*order.next(store) == 2U);
}

BOOST_AUTO_TEST_CASE(a_stage_that_failed_blocks_the_arms_that_need_it) {
  SweepOrder order({{"sft", "a"}, {"sft", "b"}, {"c"}});
  Store store;
  BOOST_TEST(*order.next(store) == 0U);
  order.finished(0, "sft");
  BOOST_TEST(*order.next(store) == 2U);
  BOOST_TEST(!order.next(store));
  BOOST_TEST(order.waiting() == 1U);
  BOOST_TEST(*order.blocked_by(1) == 0U);
}

BOOST_AUTO_TEST_CASE(an_arm_that_is_done_never_starts) {
  SweepOrder order({{"a"}, {"b"}});
  order.skip(0);
  BOOST_TEST(*order.next(Store()) == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
