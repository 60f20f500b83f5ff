#include "plumb/tensor/activation.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>

#include "plumb/error.h"

namespace {

using plumb::HfConfig;
using plumb::Value;

at::Tensor activated(const char* name, const at::Tensor& x) {
  const Value config = Value::map({{"hidden_act", name}});
  return plumb::activate(plumb::read_activation(HfConfig(config), "hidden_act", "gelu"), x);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(activation)

// The definitions of transformers' activations.py, in double.
BOOST_AUTO_TEST_CASE(names_mean_what_they_mean_in_transformers) {
  const auto by_tanh = [](double x) {
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  };
  const auto exact = [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); };
  const auto silu = [](double x) { return x / (1 + std::exp(-x)); };
  const auto relu = [](double x) { return x > 0 ? x : 0; };
  const std::vector<std::pair<const char*, std::function<double(double)>>> wanted{
      {"gelu", exact},
      {"gelu_python", exact},
      {"gelu_new", by_tanh},
      {"gelu_fast", by_tanh},
      {"gelu_accurate", by_tanh},
      {"gelu_pytorch_tanh", by_tanh},
      {"quick_gelu", [](double x) { return x / (1 + std::exp(-1.702 * x)); }},
      {"silu", silu},
      {"swish", silu},
      {"relu", relu},
      {"relu2", [&](double x) { return relu(x) * relu(x); }},
      {"tanh", [](double x) { return std::tanh(x); }},
      {"sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"linear", [](double x) { return x; }}};
  const std::vector<double> points{-3.0, -1.5, -0.1, 0.0, 0.4, 1.0, 2.5};
  for (const auto& [name, function] : wanted) {
    const at::Tensor found = activated(name, at::tensor(points));
    for (std::size_t i = 0; i < points.size(); ++i) {
      BOOST_TEST(std::abs(found[static_cast<std::int64_t>(i)].item<double>() - function(points[i])) < 1e-9,
                 name << " of " << points[i]);
    }
  }
}

BOOST_AUTO_TEST_CASE(others_are_refused_by_their_name) {
  BOOST_CHECK_EXCEPTION(activated("mish", at::tensor({1.0})), plumb::Error, [](const plumb::Error& error) {
    return std::string(error.what()).find("\"hidden_act\" is \"mish\"; known are gelu, ") != std::string::npos;
  });
}

BOOST_AUTO_TEST_SUITE_END()
