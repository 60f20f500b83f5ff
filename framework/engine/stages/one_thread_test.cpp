#include <ATen/Parallel.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "framework/core/door/bodies.h"

BOOST_AUTO_TEST_SUITE(one_thread)

BOOST_AUTO_TEST_CASE(it_holds_for_the_calling_thread_until_it_ends) {
  at::set_num_threads(3);
  BOOST_TEST(at::get_num_threads() == 3);
  plumb_engine_compute_in_one_thread(true);
  BOOST_TEST(at::get_num_threads() == 1);
  std::atomic<int> other{0}, new_thread_alone{0};
  std::thread([&] {
    other = at::get_num_threads();
    plumb_engine_compute_in_one_thread(true);
    new_thread_alone = at::get_num_threads();
    plumb_engine_compute_in_one_thread(false);
  }).join();
  BOOST_TEST(other == 3);
  BOOST_TEST(new_thread_alone == 1);
  plumb_engine_compute_in_one_thread(false);
  BOOST_TEST(at::get_num_threads() == 3);
}

BOOST_AUTO_TEST_CASE(the_number_of_threads_can_be_given) {
  BOOST_TEST(plumb_engine_threads(2) == 2);
  BOOST_TEST(at::get_num_threads() == 2);
  BOOST_TEST(plumb_engine_threads(0) == 2);
}

BOOST_AUTO_TEST_SUITE_END()
