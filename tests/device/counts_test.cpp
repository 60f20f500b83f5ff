// What forward passes and steps of decoding would cost a GPU beside arithmetic.
#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>

#include <boost/test/unit_test.hpp>

#include "framework/engine/modeling/decoder.h"
#include "framework/engine/modeling/kv_cache.h"
#include "framework/engine/rollout/device_sampler.h"
#include "models.h"
#include "strict_device.h"

namespace {
using namespace plumb;
using namespace plumb::test;

constexpr std::int64_t kNewTokens = 16;

struct Step {
  strict::Counts forward, whole;
  at::Tensor logits;
  std::vector<std::size_t> held;  // bytes after each step
};

// The last of several steps of six rows on two prompts, with room for all of them.
Step last_step(const char* architecture, const std::string& device, const char* dtype, int layers,
               bool reserved = true) {
  LanguageModel model = small_model(
      {.architecture = architecture, .device = device, .dtype = dtype, .training = false, .layers = layers});
  Decoder decoder(model);
  if (reserved) decoder.reserve({.prompts = 2, .prompt_tokens = 5, .rows = 6, .row_tokens = kNewTokens});
  const auto prompts = decoder.add_prompts(std::vector<std::vector<TokenId>>{{3, 4, 5, 6, 7}, {7, 8}});
  std::vector<std::size_t> rows;
  for (int i = 0; i < 6; ++i) rows.push_back(decoder.add_row(prompts[i < 4 ? 0 : 1]));
  std::vector<TokenId> ids{9, 10, 11, 12, 13, 14};
  const at::Tensor u = at::full({6}, 0.5, at::kDouble).to(model.device());
  Step step;
  for (std::int64_t t = 0; t < kNewTokens; ++t) {
    strict::reset_counts();
    step.logits = decoder.next(rows, ids);
    step.forward = strict::counts();
    fetch_ids(draw_tokens(step.logits, {.temperature = 1, .top_k = 20, .top_p = 0.9}, u));
    step.whole = strict::counts();
    step.held.push_back(step.whole.bytes);
  }
  step.logits = step.logits.cpu();
  return step;
}
}  // namespace

BOOST_AUTO_TEST_SUITE(counts)

BOOST_AUTO_TEST_CASE(a_forward_pass_sends_its_lists_once_and_waits_for_nothing) {
  for (const char* architecture : {"llama2", "pythia"}) {
    for (const char* dtype : {"float32", "bfloat16"}) {
      for (const int layers : {1, 3}) {
        LanguageModel model =
            small_model({.architecture = architecture, .device = "strict", .dtype = dtype, .layers = layers});
        completion_logps(model, groups(), {});  // finds out what the device can do
        strict::reset_counts();
        const at::Tensor sums = completion_logps(model, groups(), {}).sums();
        const auto forward = strict::counts();
        BOOST_TEST_CONTEXT(architecture << " " << dtype << ": " << forward.text()) {
          BOOST_TEST(forward.uploads <= 3);
          BOOST_TEST(forward.downloads == 0);
          BOOST_TEST(forward.syncs == 0);
        }
        sums.sum().backward();
        const auto both = strict::counts();
        BOOST_TEST_CONTEXT("backward of " << architecture << " " << dtype << ": " << both.text()) {
          BOOST_TEST(both.uploads == forward.uploads);
          BOOST_TEST(both.syncs == 0);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_step_of_decoding_launches_little_and_waits_for_its_ids_alone) {
  for (const char* architecture : {"llama2", "pythia"}) {
    const Step two = last_step(architecture, "strict", "bfloat16", 2);
    const Step four = last_step(architecture, "strict", "bfloat16", 4);
    const std::int64_t a_layer = (four.forward.launched() - two.forward.launched()) / 2;
    BOOST_TEST_CONTEXT(architecture << ", " << a_layer << " a layer: " << two.whole.text()) {
      BOOST_TEST(a_layer <= 40);
      BOOST_TEST(two.forward.uploads <= 3);
      BOOST_TEST(four.forward.uploads == two.forward.uploads);
      BOOST_TEST(two.forward.syncs == 0);
      BOOST_TEST(two.forward.downloads == 0);
      BOOST_TEST(two.whole.downloads == 1);
      BOOST_TEST(two.whole.syncs == 1);
    }
  }
}

// Float32 through operators, bfloat16 through the flash kernel; the CPU has kernels of its own.
BOOST_AUTO_TEST_CASE(decoded_logits_are_the_cpus) {
  for (const char* architecture : {"llama2", "pythia"}) {
    for (const auto& [dtype, tolerance] : {std::pair{"float32", 1e-5}, {"bfloat16", 5e-2}}) {
      const at::Tensor here = last_step(architecture, "cpu", dtype, 2).logits,
                       there = last_step(architecture, device_name(), dtype, 2).logits;
      BOOST_TEST((here - there).abs().max().item<double>() <= tolerance * (1 + here.abs().max().item<double>()));
    }
  }
}

// Rows grow into what was reserved; without it the cache moves to a larger place.
BOOST_AUTO_TEST_CASE(reserved_keys_do_not_move) {
  for (const char* dtype : {"float32", "bfloat16"}) {
    for (const bool reserved : {true, false}) {
      const auto held = last_step("llama2", "strict", dtype, 2, reserved).held;
      BOOST_TEST((held[1] == held.back()) == reserved, held[1] << " and " << held.back() << " bytes");
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
