// Models of 7 billion weights that hold no number: for the strict device in its dry mode.
//
//   LanguageModel model = large_model("Llama-2-7b", {.quantised = true, .lora = true});
//
// Thread contract: one thread.
#pragma once

#include <string>
#include <vector>

#include "framework/core/artifacts/disk.h"
#include "framework/engine/modeling/language_model.h"
#include "framework/engine/modeling/quantised.h"
#include "framework/engine/training/update_rule.h"
#include "models.h"
#include "strict_device.h"

namespace plumb::test {

inline constexpr double kGib = 1 << 30;

struct Large {
  bool quantised = false, reward = false;
  bool training = false;  // every weight
  bool lora = false;      // r 8 on q_proj and v_proj, or query_key_value
};

inline at::Tensor unwritten(at::IntArrayRef shape, at::ScalarType type) {
  return at::empty(shape, at::TensorOptions(type).device(at::Device(at::kPrivateUse1, 0)));
}

inline void adapt(LanguageModel& model) {
  LoraSettings settings;
  model.adapter = std::make_shared<std::deque<Parameter>>();
  for (const std::string& name : model.parameters->linear_names()) {
    if (!name.ends_with("q_proj") && !name.ends_with("v_proj") && !name.ends_with("query_key_value")) continue;
    Linear& layer = *model.parameters->find_linear(name);
    layer.adapter = std::make_shared<LoraAdapter>();
    layer.adapter->a = unwritten({settings.r, layer.weight.size(1)}, at::kFloat).set_requires_grad(true);
    layer.adapter->b = unwritten({layer.weight.size(0), settings.r}, at::kFloat).set_requires_grad(true);
    for (at::Tensor* tensor : {&layer.adapter->a, &layer.adapter->b}) {
      Parameter& parameter = model.adapter->emplace_back();
      parameter.name = name;
      parameter.tensor = tensor;
    }
  }
  model.lora = settings;
}

inline LanguageModel large_model(const std::string& folder, const Large& how) {
  LanguageModel model;
  model.config = read_json(std::string(PLUMB_SOURCE_DIR) + "/recipes/paper/models/" + folder + "/config.json").value();
  model.architecture = folder.starts_with("Llama") ? "llama2" : "pythia";
  model.parameters = std::make_unique<Parameters>();
  model.make_model = [name = model.architecture](ModelPlan& plan) {
    return make<Model>(plugins(), name, Value::map(), host(), &plan);
  };
  ModelPlan plan{model.config, *model.parameters, !how.reward};
  model.model = model.make_model(plan);
  if (how.reward) model.score = &model.parameters->linear("score", model.shape().hidden, 1, false, 0.02);
  const auto narrow = how.quantised ? quantised_names(*model.parameters) : std::set<std::string>{};
  for (Parameter* parameter : model.parameters->all()) {
    const bool is_narrow = narrow.contains(parameter->name), is_head = parameter->name == "score.weight";
    *parameter->tensor = unwritten(parameter->shape, is_narrow ? at::kChar : is_head ? at::kFloat : at::kBFloat16);
    if (is_narrow) {
      const std::string layer = parameter->name.substr(0, parameter->name.size() - std::string(".weight").size());
      model.parameters->find_linear(layer)->weight_scale = unwritten({parameter->shape[0]}, at::kFloat);
    }
    if (how.training) parameter->tensor->set_requires_grad(true);
  }
  if (how.lora) adapt(model);
  return model;
}

}  // namespace plumb::test
