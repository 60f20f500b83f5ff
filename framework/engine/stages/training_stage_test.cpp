#include "framework/engine/stages/training_stage.h"

#include <ATen/TensorOperators.h>

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "framework/core/kinds/test_stage.h"
#include "framework/engine/modeling/language_model.h"
#include "framework/engine/rollout/random_models.h"

namespace plumb {
namespace {

std::string refusal(const LanguageModel& model, test::TestStage& stage) {
  try {
    save_trainee(model, "none", stage);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

BOOST_AUTO_TEST_SUITE(training_stage)

BOOST_AUTO_TEST_CASE(weights_that_are_not_finite_are_not_saved) {
  testing::FakeHost host;
  for (const double bad : {std::nan(""), HUGE_VAL}) {
    LanguageModel model = test::random_policy(host);
    for (const Parameter* parameter : model.parameters->all()) parameter->tensor->set_requires_grad(true);
    model.parameters->find("model.layers.1.mlp.up_proj.weight")->tensor->detach()[3][3] = bad;
    test::TestStage stage(Value::map());
    const std::string message = refusal(model, stage);
    BOOST_TEST(message.find("model.layers.1.mlp.up_proj.weight hold a NaN or an infinity") != std::string::npos,
               message);
    BOOST_TEST(!std::filesystem::exists(stage.folder() / "model.safetensors"));
  }
  LanguageModel model = test::random_policy(host);
  attach_lora(model, {}, Random(1));
  for (const Parameter* parameter : model.trainable()) {
    if (parameter->name.ends_with("layers.1.self_attn.q_proj.lora_B.weight")) parameter->tensor->detach()[0][0] = NAN;
  }
  test::TestStage stage(Value::map());
  const std::string message = refusal(model, stage);
  BOOST_TEST(message.find("layers.1.self_attn.q_proj.lora_B.weight hold a NaN") != std::string::npos, message);
  BOOST_TEST(!std::filesystem::exists(stage.folder() / "adapter_model.safetensors"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace plumb
