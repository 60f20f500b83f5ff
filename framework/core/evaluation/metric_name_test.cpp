#include "framework/core/evaluation/metric_name.h"

#include <boost/test/unit_test.hpp>
#include <vector>

namespace plumb {
namespace {

const std::vector<std::string> models{"sft", "runs/sft", "aligned"};

std::string split(const std::string& name) {
  const auto found = split_metric_name(name, models);
  return found ? found->kind + "|" + found->model + "|" + found->measure : "nothing";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(metric_name)

BOOST_AUTO_TEST_CASE(kind_model_and_measure_are_told_apart) {
  BOOST_TEST(split("judge/sft/mean") == "judge|sft|mean");
  BOOST_TEST(split("mt-bench/aligned/category/math") == "mt-bench|aligned|category/math");
  BOOST_TEST(split("words/sft") == "words|sft|");
  BOOST_TEST(split("words/runs/sft") == "words|runs/sft|");
  BOOST_TEST(split("a/b/sft/x") == "a/b|sft|x");
  BOOST_TEST(split("judge tokens read") == "nothing");
  BOOST_TEST(split("sft/gold/mean") == "nothing");
  BOOST_TEST(split("words/sft2") == "nothing");
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace plumb
