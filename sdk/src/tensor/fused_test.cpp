#include "plumb/tensor/fused.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "plumb/tensor/hf_config.h"
#include "plumb/tensor/rotary.h"

namespace {

at::Tensor wave(at::IntArrayRef shape, double step, at::ScalarType type = at::kFloat) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return at::arange(1, count + 1, at::kDouble).mul(step).sin().mul(2).to(type).reshape(shape);
}

at::Tensor leaf(const at::Tensor& x) {
  return x.detach().clone().set_requires_grad(true);
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

// A fused function of two tensors in float against its definition in double: value and both gradients.
template <class Fused, class Definition>
void compare(const at::Tensor& a, const at::Tensor& b, const Fused& fused, const Definition& definition) {
  const at::Tensor a1 = leaf(a), b1 = leaf(b), a2 = leaf(a.to(at::kDouble)), b2 = leaf(b.to(at::kDouble));
  const at::Tensor mine = fused(a1, b1), wanted = definition(a2, b2);
  const at::Tensor weights = wave(wanted.sizes(), 0.37, at::kDouble);
  BOOST_TEST(distance(mine, wanted) < 1e-5);
  (mine * weights.to(at::kFloat)).sum().backward();
  (wanted * weights).sum().backward();
  BOOST_TEST(distance(a1.grad(), a2.grad()) < 1e-5);
  BOOST_TEST(distance(b1.grad(), b2.grad()) < 1e-5 * (1 + b2.grad().abs().max().item<double>()));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fused)

BOOST_AUTO_TEST_CASE(rms_norm_follows_its_definition) {
  const auto definition = [](const at::Tensor& x, const at::Tensor& w) {
    return x * (x.pow(2).mean(-1, true) + 1e-3).rsqrt() * w;
  };
  for (const auto& [tokens, width] : {std::pair<std::int64_t, std::int64_t>{1, 32}, {300, 48}, {5, 7}}) {
    compare(
        wave({tokens, width}, 0.7), wave({width}, 1.1),
        [](const at::Tensor& x, const at::Tensor& w) { return plumb::rms_norm(x, w, 1e-3); }, definition);
  }
  const at::Tensor x = wave({6, 32}, 0.7), w = wave({32}, 1.1);
  BOOST_TEST(distance(plumb::rms_norm(x.t().contiguous().t(), w, 1e-3), definition(x, w)) < 1e-5);
  BOOST_TEST(distance(plumb::rms_norm(x.to(at::kBFloat16), w.to(at::kBFloat16), 1e-3), definition(x, w)) < 0.05);
}

BOOST_AUTO_TEST_CASE(swiglu_follows_its_definition) {
  compare(wave({9, 40}, 0.7) * 3, wave({9, 40}, 1.1), plumb::swiglu,
          [](const at::Tensor& gate, const at::Tensor& up) { return gate * gate.sigmoid() * up; });
}

BOOST_AUTO_TEST_CASE(rotation_turns_pairs_by_their_angle) {
  plumb::RopeSettings settings;
  settings.fraction = 0.5;
  const plumb::Rotary rotary(settings, 16);  // 8 of 16 dimensions: pairs (i, i + 4)
  const at::Tensor positions = at::arange(3, 8, at::kLong);
  const at::Tensor x = leaf(wave({5, 3, 16}, 0.7));
  const at::Tensor y = plumb::rotate(x, rotary.angles(positions));
  const auto at3 = [](const at::Tensor& t, std::int64_t i, std::int64_t j, std::int64_t k) {
    return t[i][j][k].item<double>();
  };
  for (std::int64_t t = 0; t < 5; ++t) {
    for (std::int64_t h = 0; h < 3; ++h) {
      for (std::int64_t i = 0; i < 4; ++i) {
        const double angle = static_cast<double>(t + 3) * std::pow(10000.0, -2.0 * static_cast<double>(i) / 8);
        const double a = at3(x, t, h, i), b = at3(x, t, h, i + 4);
        BOOST_TEST(std::abs(at3(y, t, h, i) - (a * std::cos(angle) - b * std::sin(angle))) < 1e-5);
        BOOST_TEST(std::abs(at3(y, t, h, i + 4) - (b * std::cos(angle) + a * std::sin(angle))) < 1e-5);
      }
      BOOST_TEST(y[t][h].narrow(0, 8, 8).equal(x[t][h].narrow(0, 8, 8)));
    }
  }
  // A rotation keeps lengths, and so does its transpose: the gradient of Σ y·c is c turned back.
  const at::Tensor c = wave({5, 3, 16}, 0.31);
  (y * c).sum().backward();
  BOOST_TEST(distance(plumb::rotate(x.grad(), rotary.angles(positions)), c) < 1e-5);
}

BOOST_AUTO_TEST_CASE(rope_scaling_follows_transformers) {
  // Llama 3.1: theta 500000, factor 8, low 1, high 4, original context 8192, head_dim 128.
  const plumb::Value config = plumb::parse_json(
      R"({"rope_theta":500000,"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,)"
      R"("original_max_position_embeddings":8192}})");
  const plumb::Rotary scaled(plumb::read_rope(plumb::HfConfig(config)), 128);
  plumb::RopeSettings plain_settings;
  plain_settings.theta = 500000;
  const plumb::Rotary unscaled(plain_settings, 128);
  const at::Tensor one = at::ones({1}, at::kLong);
  const at::Tensor a = scaled.angles(one).sin.asin()[0], b = unscaled.angles(one).sin.asin()[0];
  for (std::int64_t i = 1; i < 64; ++i) {
    const double frequency = std::pow(500000.0, -static_cast<double>(i) / 64), wavelength = 2 * M_PI / frequency;
    double wanted = frequency;
    if (wavelength > 8192) {
      wanted = frequency / 8;
    } else if (wavelength > 8192.0 / 4) {
      const double smooth = (8192 / wavelength - 1) / 3;
      wanted = (1 - smooth) * frequency / 8 + smooth * frequency;
    }
    BOOST_TEST(a[i].item<double>() == wanted, boost::test_tools::tolerance(1e-4));
    BOOST_TEST(b[i].item<double>() == frequency, boost::test_tools::tolerance(1e-4));
  }
}

BOOST_AUTO_TEST_SUITE_END()
