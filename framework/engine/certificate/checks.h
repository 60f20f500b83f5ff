// The measurements of a certificate. Each compares two ways to compute one thing with the model at hand.
//
//   std::vector<Check> checks = model_checks({subject, material, registry, host}, model);
//   append(checks, training_checks(…));
//
// Errors are relative: the largest difference over the largest value, unless the check's text says otherwise.
// Thread contract: [lane].
#pragma once

#include <functional>
#include <vector>

#include "framework/engine/certificate/material.h"

namespace plumb {

struct Measuring {
  const Subject& subject;
  const Material& material;
  const Registry& registry;
  Host& host;
};

inline constexpr double kRoundingBound = 5e-5;  // of float32 over the layers of a model, relative to the largest value

// Runs one measurement; what it throws becomes the check's problem.
Check measured(std::string name, std::string what, double bound, const std::function<double()>& measure);

// max |mine - wanted| / max |wanted|
double relative(const at::Tensor& mine, const at::Tensor& wanted);

// batch, padding, packing, cached_decode, shared_prompt, bfloat16: of the weights as they are.
std::vector<Check> model_checks(const Measuring& with, LanguageModel& model);
// save_load, files; adapter and merged of an adapter's: of the folder.
std::vector<Check> folder_checks(const Measuring& with, LanguageModel& model);
// accumulation, step_0: opens the model once more, to be trained.
std::vector<Check> training_checks(const Measuring& with);

}  // namespace plumb
