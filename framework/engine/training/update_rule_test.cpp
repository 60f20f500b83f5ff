#include "framework/engine/training/update_rule.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/tensor.h>

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "framework/engine/modeling/live_bytes.h"
#include "plumb/error.h"

namespace {
// AdamW as Loshchilov and Hutter write it (arXiv:1711.05101, algorithm 2, schedule multiplier folded into the rate),
// one number.
struct Plain {
  double value, m = 0, v = 0;
  int t = 0;
  void step(double gradient, double rate, double decay) {
    ++t;
    value -= rate * decay * value;
    m = 0.9 * m + 0.1 * gradient;
    v = 0.999 * v + 0.001 * gradient * gradient;
    value -= rate * (m / (1 - std::pow(0.9, t))) / (std::sqrt(v / (1 - std::pow(0.999, t))) + 1e-8);
  }
};

at::Tensor leaf(std::vector<float> values) {
  return at::tensor(values).requires_grad_();
}

void set_gradient(const at::Tensor& leaf, std::vector<float> values) {
  leaf.mutable_grad() = at::tensor(values).to(leaf.scalar_type());
}
}  // namespace

BOOST_AUTO_TEST_SUITE(update_rule)

BOOST_AUTO_TEST_CASE(updates_follow_the_paper_and_norms_do_not_decay) {
  const at::Tensor weight = leaf({1.0F, -2.0F}), norm = leaf({0.5F});
  plumb::UpdateRule rule({{"weight", weight, true}, {"norm", norm, false}}, {.weight_decay = 0.1});
  Plain first{1.0}, second{-2.0}, third{0.5};
  for (int t = 0; t < 25; ++t) {
    const auto g = static_cast<float>(std::sin(t + 1.0));
    set_gradient(weight, {g, -3 * g});
    set_gradient(norm, {0.01F * g});
    rule.step(0.01 * (t + 1));
    BOOST_TEST(!weight.grad().defined());
    BOOST_TEST(!norm.grad().defined());
    first.step(g, 0.01 * (t + 1), 0.1);
    second.step(-3 * g, 0.01 * (t + 1), 0.1);
    third.step(0.01F * g, 0.01 * (t + 1), 0);
  }
  BOOST_TEST(weight[0].item<double>() == first.value, boost::test_tools::tolerance(1e-5));
  BOOST_TEST(weight[1].item<double>() == second.value, boost::test_tools::tolerance(1e-5));
  BOOST_TEST(norm[0].item<double>() == third.value, boost::test_tools::tolerance(1e-5));
}

BOOST_AUTO_TEST_CASE(gradients_are_clipped_by_their_common_norm) {
  const at::Tensor a = leaf({0, 0}), b = leaf({0});
  plumb::UpdateRule rule({{"a", a}, {"b", b}}, {});
  set_gradient(a, {3, 0});
  set_gradient(b, {4});
  BOOST_TEST(rule.gradient_norm() == 5.0, boost::test_tools::tolerance(1e-7));
  rule.clip(5.0, 0);
  BOOST_TEST(a.grad()[0].item<float>() == 3.0F);
  rule.clip(5.0, 10);
  BOOST_TEST(a.grad()[0].item<float>() == 3.0F);
  rule.clip(5.0, 1);
  BOOST_TEST(a.grad()[0].item<double>() == 3.0 / (5 + 1e-6), boost::test_tools::tolerance(1e-6));
  BOOST_TEST(b.grad()[0].item<double>() == 4.0 / (5 + 1e-6), boost::test_tools::tolerance(1e-6));
}

BOOST_AUTO_TEST_CASE(a_bad_gradient_is_found_by_name) {
  const at::Tensor a = leaf({0, 0}), b = leaf({0});
  plumb::UpdateRule rule({{"a", a}, {"b", b}}, {});
  set_gradient(a, {3, 0});
  BOOST_TEST(rule.first_bad_gradient().empty());
  set_gradient(b, {std::nanf("")});
  BOOST_TEST(rule.first_bad_gradient() == "b");
  BOOST_TEST(std::isnan(rule.gradient_norm()));
}

BOOST_AUTO_TEST_CASE(restored_state_goes_on_bit_by_bit) {
  const auto gradient = [](int t) {
    return std::vector<float>{0.1F * static_cast<float>(t), -1.0F / static_cast<float>(t + 1)};
  };
  const at::Tensor straight = leaf({1, 2});
  plumb::UpdateRule one({{"w", straight}}, {.weight_decay = 0.01});
  const at::Tensor resumed = leaf({7, 7});
  plumb::UpdateRule two({{"w", resumed}}, {.weight_decay = 0.01});
  for (int t = 0; t < 6; ++t) {
    if (t == 3) {
      std::map<std::string, at::Tensor> state;
      for (const auto& [name, tensor] : one.state()) state[name] = tensor.clone();
      two.restore(state, one.updates());
    }
    set_gradient(straight, gradient(t));
    one.step(0.1);
    if (t < 3) continue;
    set_gradient(resumed, gradient(t));
    two.step(0.1);
  }
  BOOST_TEST(at::equal(straight, resumed));
}

BOOST_AUTO_TEST_CASE(a_foreign_state_is_refused_and_changes_nothing) {
  const at::Tensor w = leaf({1, 2});
  plumb::UpdateRule rule({{"w", w}}, {});
  std::map<std::string, at::Tensor> state;
  for (const auto& [name, tensor] : rule.state()) state[name] = tensor.clone() + 1;
  state["w.exp_avg_sq"] = at::tensor({1.0F});
  BOOST_CHECK_THROW(rule.restore(state, {1}), plumb::Error);
  BOOST_TEST(w[0].item<float>() == 1.0F);
}

BOOST_AUTO_TEST_CASE(bfloat16_parameters_collect_updates_too_small_for_them) {
  const at::Tensor w = at::tensor({1.0F}).to(at::kBFloat16).requires_grad_();
  plumb::UpdateRule rule({{"w", w}}, {});
  for (int t = 0; t < 100; ++t) {
    set_gradient(w, {1.0F});
    rule.step(1e-3);  // a step of 0.001 from 1.0 is lost in bfloat16, whose spacing there is 0.004
  }
  BOOST_TEST(w.item<double>() == 0.9, boost::test_tools::tolerance(0.01));
}

// Eight tensors of 1,024 numbers and one of 3,000: in pieces of two, as one. A widened gradient has 4 bytes a number, and
// the 2 of the other are free by then.
BOOST_AUTO_TEST_CASE(gradients_are_widened_a_piece_at_a_time) {
  plumb::test::LiveBytes& live = plumb::test::LiveBytes::counting();
  const auto trained = [] {
    std::vector<plumb::TrainedTensor> tensors;
    for (int i = 0; i < 9; ++i) {
      const at::Tensor values = at::linspace(-1, 1 + i, i == 4 ? 3000 : 1024).to(at::kBFloat16).requires_grad_();
      tensors.push_back({"w" + std::to_string(i), values, i % 3 != 0});
    }
    return tensors;
  };
  const auto whole = trained(), cut = trained();
  plumb::UpdateRule one(whole, {.weight_decay = 0.1}), pieces(cut, {.weight_decay = 0.1, .widened = 2 * 1024 * 4});
  const auto peak_of = [&](plumb::UpdateRule& rule, int t) {
    for (const auto& tensor : rule.tensors()) {
      tensor.value.mutable_grad() = at::linspace(-t, 3, tensor.value.numel()).to(at::kBFloat16);
    }
    const std::int64_t before = live.now();
    live.reset_peak();
    rule.step(0.01);
    return live.peak() - before;
  };
  for (int t = 1; t <= 3; ++t) {
    BOOST_TEST(peak_of(one, t) >= 2 * (5 * 1024 + 3000));  // all that decay
    BOOST_TEST(peak_of(pieces, t) <= 4 * 3000 + 256);      // the large one alone
  }
  for (std::size_t i = 0; i < whole.size(); ++i) BOOST_TEST(at::equal(whole[i].value, cut[i].value));
}

BOOST_AUTO_TEST_SUITE_END()
