#include "plumb/tensor/linear.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <thread>

#include "plumb/error.h"
#include "plumb/tensor/parameters.h"

namespace {

using plumb::AdaptersOff;
using plumb::Linear;

// Distinct values without any structure a product could hide: sin(1), sin(2) …
at::Tensor wave(at::IntArrayRef shape, double step) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return at::arange(1, count + 1, at::kDouble).mul(step).sin().to(at::kFloat).reshape(shape);
}

double at2(const at::Tensor& t, std::int64_t i, std::int64_t j) {
  return t[i][j].item<double>();
}

// y = x Wᵀ + b + scale · x Aᵀ Bᵀ, element by element in double.
double expected(const Linear& layer, const at::Tensor& x, std::int64_t row, std::int64_t out, bool adapted) {
  double y = layer.bias.defined() ? layer.bias[out].item<double>() : 0;
  for (std::int64_t i = 0; i < x.size(1); ++i) {
    const double scale = layer.weight_scale.defined() ? layer.weight_scale[out].item<double>() : 1;
    y += at2(x, row, i) * at2(layer.weight, out, i) * scale;
  }
  if (!adapted) return y;
  for (std::int64_t r = 0; r < layer.adapter->a.size(0); ++r) {
    double low = 0;
    for (std::int64_t i = 0; i < x.size(1); ++i) low += at2(x, row, i) * at2(layer.adapter->a, r, i);
    y += layer.adapter->scale * low * at2(layer.adapter->b, out, r);
  }
  return y;
}

void check_all(const Linear& layer, const at::Tensor& x, bool adapted, double bound) {
  const at::Tensor y = layer(x);
  BOOST_REQUIRE(y.sizes() == at::IntArrayRef({x.size(0), layer.weight.size(0)}));
  for (std::int64_t i = 0; i < y.size(0); ++i) {
    for (std::int64_t j = 0; j < y.size(1); ++j) {
      BOOST_TEST(std::abs(at2(y, i, j) - expected(layer, x, i, j, adapted)) < bound);
    }
  }
}

Linear adapted_layer() {
  Linear layer;
  layer.weight = wave({5, 6}, 0.7);
  layer.bias = wave({5}, 1.3);
  layer.adapter = std::make_shared<plumb::LoraAdapter>();
  layer.adapter->a = wave({2, 6}, 0.9);
  layer.adapter->b = wave({5, 2}, 1.1);
  layer.adapter->scale = 2.5;
  return layer;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(linear)

BOOST_AUTO_TEST_CASE(adds_the_adapter_unless_it_is_off) {
  const Linear layer = adapted_layer();
  const at::Tensor x = wave({4, 6}, 0.31);
  check_all(layer, x, true, 1e-5);
  {
    const AdaptersOff outer;
    { const AdaptersOff inner; }
    BOOST_TEST(AdaptersOff::active());
    check_all(layer, x, false, 1e-5);
    std::thread([] { BOOST_TEST(!AdaptersOff::active()); }).join();
  }
  BOOST_TEST(!AdaptersOff::active());
}

BOOST_AUTO_TEST_CASE(keeps_leading_dimensions) {
  const Linear layer = adapted_layer();
  const at::Tensor x = wave({2, 3, 6}, 0.31);
  const at::Tensor y = layer(x);
  BOOST_REQUIRE(y.sizes() == at::IntArrayRef({2, 3, 5}));
  BOOST_TEST(y.reshape({6, 5}).equal(layer(x.reshape({6, 6}))));
}

BOOST_AUTO_TEST_CASE(adapter_gradients_match_finite_differences) {
  Linear layer = adapted_layer();
  layer.adapter->a.set_requires_grad(true);
  layer.adapter->b.set_requires_grad(true);
  const at::Tensor x = wave({4, 6}, 0.31);
  const at::Tensor weights = wave({4, 5}, 0.53);
  (layer(x) * weights).sum().backward();
  const auto loss = [&] {
    double sum = 0;
    for (std::int64_t i = 0; i < 4; ++i) {
      for (std::int64_t j = 0; j < 5; ++j) sum += expected(layer, x, i, j, true) * at2(weights, i, j);
    }
    return sum;
  };
  for (const at::Tensor& parameter : {layer.adapter->a, layer.adapter->b}) {
    at::Tensor value = parameter.detach();  // shares memory
    const at::Tensor place = value[1][1];
    const float before = place.item<float>();
    place.fill_(before + 0.01);
    const double above = loss();
    place.fill_(before - 0.01);
    const double below = loss();
    place.fill_(before);
    BOOST_TEST(parameter.grad()[1][1].item<double>() == (above - below) / 0.02, boost::test_tools::tolerance(1e-3));
  }
}

BOOST_AUTO_TEST_CASE(eight_bit_weight_matches_its_widened_form) {
  for (const std::int64_t rows : {3, 40}) {  // the packed kernel and the widened product
    Linear layer;
    layer.weight = wave({32, 64}, 0.7).mul(127).round().to(at::kChar);
    layer.weight_scale = wave({32}, 0.2).abs().add(0.01).div(127);
    layer.bias = wave({32}, 1.3);
    at::Tensor x = wave({rows, 64}, 0.31).set_requires_grad(true);
    check_all(layer, x.detach(), false, 1e-4);
    const at::Tensor weights = wave({rows, 32}, 0.53);
    (layer(x) * weights).sum().backward();
    const at::Tensor wide = layer.weight.to(at::kDouble) * layer.weight_scale.to(at::kDouble).unsqueeze(1);
    const at::Tensor wanted = weights.to(at::kDouble).matmul(wide);
    BOOST_TEST((x.grad().to(at::kDouble) - wanted).abs().max().item<double>() < 1e-4);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(parameters)

BOOST_AUTO_TEST_CASE(keeps_order_names_decay_and_references) {
  plumb::Parameters p;
  const at::Tensor& table = p.embedding("embed.weight", 7, 4);
  std::vector<const Linear*> layers;
  for (int i = 0; i < 100; ++i) layers.push_back(&p.linear("layer." + std::to_string(i), 4, 3, true, 0.1));
  const at::Tensor& norm = p.vector("norm.weight", 4, 1);
  const Linear& head = p.tied("head", "embed.weight");

  const auto all = p.all();
  BOOST_REQUIRE(all.size() == 202U);
  BOOST_TEST(all[0]->name == "embed.weight");
  BOOST_TEST(all[2]->name == "layer.0.bias");
  BOOST_TEST((all[1]->shape == std::vector<std::int64_t>{3, 4}));
  BOOST_TEST(all[0]->decays);
  BOOST_TEST(all[1]->decays);
  BOOST_TEST(!all[2]->decays);
  BOOST_TEST(!all[201]->decays);
  BOOST_TEST(all[201]->init_fill == 1);
  BOOST_TEST(p.find("head.weight") == nullptr);  // saved once, under the table's name
  BOOST_TEST(p.find_linear("layer.0") == layers[0]);
  BOOST_TEST(p.find_linear("head") == &head);

  *p.find("embed.weight")->tensor = at::zeros({7, 4});
  *p.find("norm.weight")->tensor = at::zeros({4});
  *p.find("layer.0.weight")->tensor = at::zeros({3, 4});
  BOOST_TEST(table.is_same(head.weight));
  BOOST_TEST(norm.defined());
  BOOST_TEST(layers[0]->weight.defined());
}

BOOST_AUTO_TEST_CASE(refuses_doubles_and_unknown_ties) {
  plumb::Parameters p;
  static_cast<void>(p.linear("a", 2, 2));
  BOOST_CHECK_THROW(static_cast<void>(p.linear("a", 2, 2)), plumb::Error);
  BOOST_CHECK_THROW(static_cast<void>(p.vector("a.weight", 2, 0)), plumb::Error);
  BOOST_CHECK_THROW(static_cast<void>(p.tied("head", "a.weight")), plumb::Error);
}

BOOST_AUTO_TEST_SUITE_END()
