#include "plumb/placement.h"

#include <boost/test/unit_test.hpp>

using plumb::parse_device;
using plumb::Placement;
using plumb::Value;

BOOST_AUTO_TEST_CASE(devices_have_one_grammar) {
  BOOST_TEST(!parse_device("cpu")->cuda);
  BOOST_TEST(parse_device("cuda")->cuda);
  BOOST_TEST(parse_device("cuda")->index == 0);
  BOOST_TEST(parse_device("cuda:0")->index == 0);
  BOOST_TEST(parse_device("cuda:100")->index == 100);
  BOOST_TEST(parse_device("cuda:127")->index == 127);
  for (const char* wrong : {"", "gpu", "CUDA", "cuda:", "cuda:N", "cuda:-1", "cuda:01", "cuda:128", "cuda:1000",
                            "cuda: 1", "cuda:1 ", "cpu:0", "cuda:1:2"}) {
    BOOST_TEST(!parse_device(wrong).has_value(), wrong);
  }
}

// What recipes, schemas and components read is the declaration alone.
BOOST_AUTO_TEST_CASE(a_declared_device_is_checked_without_the_component) {
  const auto infos = Placement::params().infos();
  const auto issues = [&](const char* key, const char* value) {
    return plumb::check_params(infos, Value::map({{key, value}}));
  };
  BOOST_TEST(issues("device", "cuda:100").empty());
  BOOST_TEST(issues("dtype", "bfloat16").empty());
  BOOST_TEST(issues("weights", "int8").empty());
  BOOST_REQUIRE_EQUAL(issues("device", "cuda:1000").size(), 1U);
  BOOST_TEST(issues("device", "cuda:1000")[0].message.find("wanted one of cpu, cuda, cuda:N") != std::string::npos);
  BOOST_TEST(issues("device", "cuda:N").size() == 1U);
  BOOST_TEST(issues("dtype", "int8").size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_placement_is_spliced_in_flat) {
  struct Settings {
    Placement placement;
  };
  plumb::Params<Settings> p{"settings"};
  p.include(&Settings::placement, Placement::params());
  const Settings read = p.parse(Value::map({{"device", "cuda:1"}, {"weights", "int8"}}));
  BOOST_TEST(read.placement.device == "cuda:1");
  BOOST_TEST(read.placement.dtype == "float32");
  BOOST_TEST(read.placement.int8());
}
