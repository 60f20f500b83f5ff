// Draws where the logits are, against draw_token on the host.
#include "framework/engine/rollout/device_sampler.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>

#include <boost/test/unit_test.hpp>
#include <limits>

#include "framework/engine/rollout/sampler.h"
#include "models.h"
#include "strict_device.h"

namespace {
using namespace plumb;
using plumb::test::there;
constexpr std::int64_t kRows = 400, kVocabulary = 300;

at::Generator seeded(std::uint64_t seed) {
  return at::make_generator<at::CPUGeneratorImpl>(seed);
}

const std::vector<Sampling> kSamplings{
    {.temperature = 1},
    {.temperature = 0.6, .top_k = 20},
    {.temperature = 1.3, .top_p = 0.7},
    {.temperature = 1, .top_k = 7, .top_p = 0.5},
    {.temperature = 1, .top_k = 1},
    {.temperature = 1, .top_p = 0.01},
    {.temperature = 0},
};
}  // namespace

BOOST_AUTO_TEST_SUITE(drawing)

// In steps of a quarter: many tokens tie, also at the k-th place and where top-p cuts.
BOOST_AUTO_TEST_CASE(draws_are_the_hosts) {
  const at::Tensor logits = (at::randn({kRows, kVocabulary}, seeded(1)) * 10).round() / 4;
  const at::Tensor u = at::rand({kRows}, seeded(2), at::TensorOptions(at::kDouble));
  for (const Sampling& sampling : kSamplings) {
    const auto ids = fetch_ids(draw_tokens(logits.to(there()), sampling, u.to(there())));
    int others = 0;
    for (std::int64_t row = 0; row < kRows; ++row) {
      const std::span<const float> line(logits.const_data_ptr<float>() + row * kVocabulary, kVocabulary);
      const TokenId wanted = draw_token(line, sampling, u[row].item<double>());
      if (ids[static_cast<std::size_t>(row)] != wanted) ++others;
    }
    BOOST_TEST(others == 0, "temperature " << sampling.temperature << " top_k " << sampling.top_k << " top_p "
                                           << sampling.top_p << ": " << others << " of " << kRows);
  }
}

BOOST_AUTO_TEST_CASE(the_ends_of_the_interval_draw_the_ends_of_the_survivors) {
  const at::Tensor logits = at::randn({2, kVocabulary}, seeded(3)).to(there());
  const double last = std::nextafter(1.0, 0.0);
  const at::Tensor u = at::tensor({0.0, last}, at::kDouble);
  const auto ids = fetch_ids(draw_tokens(logits, {.temperature = 1}, u.to(there())));
  BOOST_TEST(ids[0] == 0);
  BOOST_TEST(ids[1] == kVocabulary - 1);
}

BOOST_AUTO_TEST_CASE(broken_logits_are_told) {
  at::Tensor logits = at::randn({3, kVocabulary}, seeded(4));
  logits[0][5] = std::numeric_limits<float>::quiet_NaN();
  logits[2][6] = std::numeric_limits<float>::infinity();
  const at::Tensor u = at::rand({3}, seeded(5), at::TensorOptions(at::kDouble));
  for (const Sampling& sampling : kSamplings) {
    const auto ids = fetch_ids(draw_tokens(logits.to(there()), sampling, u.to(there())));
    BOOST_TEST(ids[0] == -1);
    BOOST_TEST(ids[1] >= 0);
    BOOST_TEST(ids[2] == -1);
  }
}

BOOST_AUTO_TEST_SUITE_END()
