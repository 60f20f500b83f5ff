#include "framework/engine/training/schedule.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <numbers>

#include "plumb/error.h"

namespace {
plumb::TrainingSettings settings(const char* type, std::int64_t warmup) {
  plumb::TrainingSettings s;
  s.learning_rate = 1;
  s.lr_scheduler_type = type;
  s.warmup_steps = warmup;
  return s;
}

// Independent numbers, as Hugging Face's schedulers gave them for 20 steps (goldens/schedules.json, entries 0-20).
constexpr double kCosineWarmup3[] = {0.0,
                                     0.3333333333333333,
                                     0.6666666666666666,
                                     1.0,
                                     0.991486549841951,
                                     0.9662361147021779,
                                     0.9251085678648071,
                                     0.8695044586103295,
                                     0.8013173181896283,
                                     0.7228691778882692,
                                     0.6368314950360415,
                                     0.546134179731651,
                                     0.45386582026834904,
                                     0.3631685049639586,
                                     0.2771308221117309,
                                     0.19868268181037185,
                                     0.1304955413896705,
                                     0.074891432135193,
                                     0.03376388529782215,
                                     0.008513450158049107,
                                     0.0};
constexpr double kCosine[] = {1.0,
                              0.9938441702975689,
                              0.9755282581475768,
                              0.9455032620941839,
                              0.9045084971874737,
                              0.8535533905932737,
                              0.7938926261462366,
                              0.7269952498697734,
                              0.6545084971874737,
                              0.5782172325201155,
                              0.5,
                              0.42178276747988447,
                              0.34549150281252633,
                              0.2730047501302266,
                              0.20610737385376346,
                              0.14644660940672627,
                              0.09549150281252633,
                              0.054496737905816106,
                              0.024471741852423234,
                              0.00615582970243117,
                              0.0};
constexpr double kLinearWarmup3[] = {0.0,
                                     0.3333333333333333,
                                     0.6666666666666666,
                                     1.0,
                                     0.9411764705882353,
                                     0.8823529411764706,
                                     0.8235294117647058,
                                     0.7647058823529411,
                                     0.7058823529411765,
                                     0.6470588235294118,
                                     0.5882352941176471,
                                     0.5294117647058824,
                                     0.47058823529411764,
                                     0.4117647058823529,
                                     0.35294117647058826,
                                     0.29411764705882354,
                                     0.23529411764705882,
                                     0.17647058823529413,
                                     0.11764705882352941,
                                     0.058823529411764705,
                                     0.0};
}  // namespace

BOOST_AUTO_TEST_SUITE(schedule, *boost::unit_test::tolerance(1e-12))

BOOST_AUTO_TEST_CASE(rates_are_hugging_faces) {
  const plumb::Schedule cosine(settings("cosine", 0), 20), warm_cosine(settings("cosine", 3), 20);
  const plumb::Schedule linear(settings("linear", 0), 20), warm_linear(settings("linear", 3), 20);
  for (int s = 0; s <= 20; ++s) {
    BOOST_TEST_CONTEXT("update " << s) {
      BOOST_TEST(cosine.rate(s) == kCosine[s]);
      BOOST_TEST(warm_cosine.rate(s) == kCosineWarmup3[s]);
      BOOST_TEST(linear.rate(s) == 1 - s / 20.0);
      BOOST_TEST(warm_linear.rate(s) == kLinearWarmup3[s]);
    }
  }
}

BOOST_AUTO_TEST_CASE(constant_warms_up_and_stays) {
  const plumb::Schedule constant(settings("constant", 4), 20);
  BOOST_TEST(constant.rate(0) == 0.0);
  BOOST_TEST(constant.rate(3) == 0.75);
  BOOST_TEST(constant.rate(4) == 1.0);
  BOOST_TEST(constant.rate(19) == 1.0);
}

BOOST_AUTO_TEST_CASE(a_ratio_of_warmup_is_rounded_up) {
  auto s = settings("linear", 0);
  s.warmup_ratio = 0.1;
  BOOST_TEST(plumb::warmup_updates(s, 21) == 3);
  BOOST_TEST(plumb::warmup_updates(s, 20) == 2);
  s.warmup_steps = 7;
  BOOST_TEST(plumb::warmup_updates(s, 21) == 7);
}

BOOST_AUTO_TEST_CASE(a_warmup_longer_than_the_run_only_warms_up) {
  const plumb::Schedule linear(settings("linear", 10), 5);
  BOOST_TEST(linear.rate(4) == 0.4);
}

BOOST_AUTO_TEST_CASE(an_unknown_type_is_refused) {
  BOOST_CHECK_THROW(plumb::Schedule(settings("polynomial", 0), 5), plumb::Error);
}

BOOST_AUTO_TEST_SUITE_END()
