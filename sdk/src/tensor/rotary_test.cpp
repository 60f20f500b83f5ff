#include "plumb/tensor/rotary.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "plumb/error.h"

namespace {

using plumb::HfConfig;
using plumb::Value;

Value with(const Value& scaling, const char* key = "rope_scaling") {
  return Value::map({{"max_position_embeddings", 4096}, {"rope_theta", 10000.0}, {key, scaling}});
}

// What one step of position adds to each angle, from cos and sin of the first: their length is the attention factor.
struct Turn {
  std::vector<double> frequencies;
  double length;
};
Turn turn_of(const Value& config, std::int64_t dims) {
  const auto angles = plumb::Rotary(plumb::read_rope(HfConfig(config)), dims).angles(at::tensor({std::int64_t{1}}));
  Turn out{{}, 0};
  for (std::int64_t i = 0; i < dims / 2; ++i) {
    const double cos = angles.cos[0][i].item<double>(), sin = angles.sin[0][i].item<double>();
    out.frequencies.push_back(std::atan2(sin, cos));
    out.length = std::hypot(sin, cos);
  }
  return out;
}

void equals(const Turn& found, const std::vector<double>& frequencies, double length = 1) {
  BOOST_REQUIRE(found.frequencies.size() == frequencies.size());
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    BOOST_TEST(found.frequencies[i] == frequencies[i], boost::test_tools::tolerance(2e-5));
  }
  BOOST_TEST(found.length == length, boost::test_tools::tolerance(1e-6));
}

std::string refusal(const Value& config) {
  try {
    static_cast<void>(plumb::Rotary(plumb::read_rope(HfConfig(config)), 4));
  } catch (const plumb::Error& error) {
    return error.what();
  }
  return "no error";
}

void says(const std::string& text, const std::string& part) {
  BOOST_TEST(text.find(part) != std::string::npos, "\"" << text << "\" does not say \"" << part << "\"");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rotary)

// θ^(-2i / dims): 1 and 1/100 of four dimensions with θ = 10,000.
BOOST_AUTO_TEST_CASE(plain_linear_and_dynamic) {
  equals(turn_of(with(Value()), 4), {1, 0.01});
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    equals(turn_of(with(Value::map({{"type", "linear"}, {"factor", 4.0}}), key), 4), {0.25, 0.0025});
    // Within max_position_embeddings dynamic scaling changes nothing, whatever the factor.
    equals(turn_of(with(Value::map({{"rope_type", "dynamic"}, {"factor", 4.0}}), key), 4), {1, 0.01});
  }
}

// Of 4 dimensions with θ = 10,000 and 4,096 tokens, dimension d turns 4096 / (2π θ^(d/4)) times: 32 turns at d = 0.65, 1
// at d = 1.41. So the ramp goes from 0 to 2, and the second pair is halfway: 0.01 (1/2 + 1/2 · 1/4).
BOOST_AUTO_TEST_CASE(yarn_keeps_fast_pairs_and_stretches_slow_ones) {
  const double magnitude = 0.1 * std::log(4.0) + 1;
  Value yarn = Value::map({{"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 4096}});
  equals(turn_of(with(yarn), 4), {1, 0.00625}, magnitude);
  equals(turn_of(with(yarn, "rope_parameters"), 4), {1, 0.00625}, magnitude);
  Value own = Value::map({{"type", "yarn"}, {"factor", 4.0}});  // max_position_embeddings is the original context
  equals(turn_of(with(own), 4), {1, 0.00625}, magnitude);
  yarn.set("attention_factor", 1.25);
  equals(turn_of(with(yarn), 4), {1, 0.00625}, 1.25);
  yarn.set("attention_factor", Value());
  yarn.set("mscale", 0.7);
  yarn.set("mscale_all_dim", 1.2);
  equals(turn_of(with(yarn), 4), {1, 0.00625}, (0.07 * std::log(4.0) + 1) / (0.12 * std::log(4.0) + 1));
  // Without rounding the ramp goes from 0.6545 to 1.4071: the second pair is at (1 - 0.6545) / 0.7526 = 0.4591.
  own.set("truncate", false);
  equals(turn_of(with(own), 4), {1, 0.01 * (1 - 0.45907 * 0.75)}, magnitude);
  // More turns than the context has: every pair is stretched. θ = 10,000, 16 dimensions, 6 tokens (less than 2π).
  const Value few = Value::map({{"type", "yarn"}, {"factor", 2.0}, {"original_max_position_embeddings", 6}});
  const Turn all = turn_of(with(few), 4);
  BOOST_TEST(all.frequencies[1] == 0.005, boost::test_tools::tolerance(1e-4));
}

// wavelengths 2π and 200π against 8192 / 4 and 8192: both short, so kept; with 64 tokens the second is long: 1/8 of it.
BOOST_AUTO_TEST_CASE(llama3_stretches_long_wavelengths) {
  Value llama3 = Value::map({{"rope_type", "llama3"},
                             {"factor", 8.0},
                             {"low_freq_factor", 1.0},
                             {"high_freq_factor", 4.0},
                             {"original_max_position_embeddings", 8192}});
  equals(turn_of(with(llama3), 4), {1, 0.01});
  llama3.set("original_max_position_embeddings", 64);
  equals(turn_of(with(llama3), 4), {1, 0.00125});
  llama3.set("low_freq_factor", Value());
  says(refusal(with(llama3)), "\"low_freq_factor\"");
}

BOOST_AUTO_TEST_CASE(what_is_not_computed_is_refused_by_its_name) {
  for (const char* type : {"longrope", "su", "mrope", "ntk"}) {
    says(refusal(with(Value::map({{"rope_type", type}, {"factor", 2.0}}))), std::string("\"") + type + "\"");
  }
  says(refusal(with(Value::map({{"type", "linear"}}))), "\"factor\"");
  says(refusal(with(Value::map({{"type", "linear"}, {"factor", 0}}))), "\"factor\"");
  for (const std::int64_t dims : {std::int64_t{3}, std::int64_t{1} << 17, std::int64_t{1} << 40}) {
    BOOST_CHECK_THROW(plumb::Rotary({}, dims), plumb::Error);
  }
}

BOOST_AUTO_TEST_SUITE_END()
