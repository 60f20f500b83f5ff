// What forward passes and steps of decoding would cost a GPU beside arithmetic.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <boost/test/unit_test.hpp>

#include "framework/engine/modeling/decoder.h"
#include "models.h"
#include "strict_device.h"

namespace {
using namespace plumb;
using namespace plumb::test;
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

BOOST_AUTO_TEST_SUITE_END()
