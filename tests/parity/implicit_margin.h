// The implicit margin of a policy over its reference, by which a test sees whether two models are the same small update
// apart from their start.
//
//   LanguageModel trained = by_hand(sft, aligned), evaluated = open_to_use(aligned), reference = open_to_use(sft);
//   margin(evaluated, reference, rows) == margin(trained, reference, rows)
//
// Thread contract: one thread.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/mm.h>

#include "framework/engine/modeling/grouped_forward.h"
#include "framework/engine/training/pair_rows.h"
#include "tests/parity/goldens.h"

namespace plumb::test {

constexpr double kBeta = 0.1;

// As `evaluate`, `sample`, `chat` and the others open a model.
inline LanguageModel open_to_use(const std::filesystem::path& folder, const std::string& dtype = "float32",
                                 bool reward = false) {
  return open_language_model(folder, plugins(), host(),
                             {.placement = {.dtype = dtype}, .merge_adapter = true, .reward_head = reward});
}

// Mean implicit margin of all pairs.
inline double margin(LanguageModel& policy, LanguageModel& reference, const PairRows& rows) {
  const at::NoGradGuard no_grad;
  const auto sums = [&](LanguageModel& model) {
    return completion_logps(model, rows.groups, {}).sums().to(at::kDouble);
  };
  const at::Tensor moved = sums(policy) - sums(reference);
  std::vector<std::int64_t> first;
  std::int64_t next = 0;
  for (const SequenceGroup& group : rows.groups) {
    first.push_back(next);
    next += static_cast<std::int64_t>(group.completions.size());
  }
  double total = 0;
  for (const PairRows::Pair& pair : rows.pairs) {
    const std::int64_t at = first[pair.group];
    total += moved[at + static_cast<std::int64_t>(pair.chosen)].item<double>() -
             moved[at + static_cast<std::int64_t>(pair.rejected)].item<double>();
  }
  return kBeta * total / static_cast<double>(rows.pairs.size());
}

// The base with scale · B A added to its weights in float32, read from the files by itself.
inline LanguageModel by_hand(const std::filesystem::path& base, const std::filesystem::path& adapter) {
  LanguageModel model = open_language_model(base, plugins(), host(), {});
  const auto factors = open_safetensors(adapter / "adapter_model.safetensors").value();
  const Value config = parse_json(read_file(adapter / "adapter_config.json").value());
  const double scale = config.at("lora_alpha").as_double() / config.at("r").as_double();
  for (const TensorEntry& entry : factors.entries()) {
    const auto at = entry.name.find(".lora_A.weight");
    if (at == std::string::npos) continue;
    const std::string layer = entry.name.substr(17, at - 17);  // after "base_model.model."
    const at::Tensor update =
        at::mm(factors.tensor("base_model.model." + layer + ".lora_B.weight"), factors.tensor(entry.name)) * scale;
    model.parameters->find(layer + ".weight")->tensor->add_(update);
  }
  return model;
}

}  // namespace plumb::test
