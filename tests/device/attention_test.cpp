// A GPU's flash attention against the plain definition, in float32 on the strict device.
#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <torch/csrc/autograd/autograd.h>

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "framework/engine/modeling/attention.h"
#include "framework/engine/modeling/index_upload.h"
#include "models.h"
#include "strict_device.h"

namespace {
using namespace plumb;
using plumb::test::there;
constexpr std::int64_t kHeads = 4, kKvHeads = 2, kDim = 8;

struct Ran {
  at::Tensor out, dq, dk, dv;
};

template <class Attend>
Ran run(const std::vector<PromptGroup>& groups, at::Device device, at::ScalarType type, const Attend& attend) {
  const std::int64_t tokens = SequenceAttention::shared(groups).plan().tokens;
  std::uint64_t seed = 3;
  const auto random = [&](std::int64_t heads) {
    return at::randn({tokens, heads, kDim}, at::make_generator<at::CPUGeneratorImpl>(seed++));
  };
  const auto leaf = [&](std::int64_t heads) {
    return random(heads).to(at::kBFloat16).to(device, type, false, true).set_requires_grad(true);
  };
  const at::Tensor q = leaf(kHeads), k = leaf(kKvHeads), v = leaf(kKvHeads), up = random(kHeads).to(device, type);
  const at::Tensor out = attend(q, k, v);
  (out * up).sum().backward();
  const auto here = [](const at::Tensor& x) { return x.detach().cpu().to(at::kFloat); };
  return {here(out), here(q.grad()), here(k.grad()), here(v.grad())};
}

Ran plain(const std::vector<PromptGroup>& groups, at::Device device) {
  return run(groups, device, at::kFloat, [&](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
    return plain_attention(*plain_lists(SequenceAttention::shared(groups).plan(), device), q, k, v, 0.3, 0);
  });
}

Ran varlen(const std::vector<PromptGroup>& groups, at::ScalarType type) {
  return run(groups, there(), type, [&](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
    IndexUpload upload;
    const auto lists = add_lists(SequenceAttention::shared(groups).plan(), upload);
    upload.send(there());
    take_lists(*lists, upload);
    return varlen_attention(lists, q, k, v, 0.3);
  });
}

double difference(const Ran& a, const Ran& b) {
  double most = 0;
  for (const auto& [x, y] : {std::pair{a.out, b.out}, {a.dq, b.dq}, {a.dk, b.dk}, {a.dv, b.dv}}) {
    most = std::max(most, (x - y).abs().max().item<double>());
  }
  return most;
}

const std::vector<std::vector<PromptGroup>> kBatches{
    {{5, {}}, {3, {}}},                      // plain sequences
    {{6, {3, 5}}},                           // one prompt: ranges, no gathering
    {{4, {2, 7, 1}}, {9, {}}, {2, {5, 1}}},  // several, one without answers
};
}  // namespace

BOOST_AUTO_TEST_SUITE(attention)

BOOST_AUTO_TEST_CASE(ragged_flash_attention_and_its_gradients_are_the_definitions) {
  const bool exact = there().is_privateuseone();  // a GPU's kernel reads bfloat16 alone
  for (const auto& groups : kBatches) {
    const Ran flash = varlen(groups, exact ? at::kFloat : at::kBFloat16);
    BOOST_TEST(difference(flash, plain(groups, at::kCPU)) < (exact ? 5e-6 : 5e-2));
  }
}

BOOST_AUTO_TEST_CASE(the_plain_definition_is_the_same_on_a_device) {
  for (const auto& groups : kBatches) BOOST_TEST(difference(plain(groups, there()), plain(groups, at::kCPU)) < 5e-6);
}

// Off the CPU bfloat16 goes to the flash kernel, without scores; float32, which it does not read, to plain operators.
BOOST_AUTO_TEST_CASE(bfloat16_takes_the_flash_kernel) {
  for (const auto& [dtype, taken] : {std::pair{"bfloat16", true}, {"float32", false}}) {
    LanguageModel model = test::small_model({.device = "strict", .dtype = dtype});
    strict::reset_counts();
    completion_logps(model, test::groups(), {}).sums().sum().backward();
    const auto launches = strict::counts().launches;
    BOOST_TEST(launches.contains("aten::_flash_attention_forward") == taken);
    BOOST_TEST(launches.contains("aten::_flash_attention_backward") == taken);
    BOOST_TEST(launches.contains("aten::bmm") == !taken);
  }
}

BOOST_AUTO_TEST_SUITE_END()
