// Small models on the CPU and on a device, with the same weights, and rows for them. The device is the strict one, or
// what PLUMB_TEST_DEVICE names (tests/gpu).
//
//   LanguageModel model = small_model({.architecture = "pythia", .device = device_name()});
//
// Thread contract: one thread.
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include "framework/engine/modeling/grouped_forward.h"
#include "framework/engine/modeling/language_model.h"
#include "framework/engine/modeling/model_weights.h"
#include "framework/engine/rollout/random_models.h"
#include "framework/engine/training/trained_tensors.h"
#include "framework/engine/training/update_rule.h"

namespace plumb::test {

inline testing::FakeHost& host() {
  static testing::FakeHost one;
  return one;
}

inline std::string device_name() {
  const char* named = std::getenv("PLUMB_TEST_DEVICE");
  return named == nullptr ? "strict" : named;
}

inline at::Device there() {
  static const at::Device device = tensor_place({.device = device_name()}).device;
  return device;
}

struct Small {
  std::string architecture = "llama2", device = "cpu", dtype = "float32";
  bool training = true, reward = false;
  int layers = 2;
};

inline LanguageModel small_model(const Small& how) {
  Value config = Value::map({{"hidden_size", 32},
                             {"intermediate_size", 48},
                             {"num_hidden_layers", how.layers},
                             {"num_attention_heads", 4},
                             {"vocab_size", 104},
                             {"max_position_embeddings", 96},
                             {"initializer_range", 0.2}});
  if (how.architecture == "llama2") config.set("num_key_value_heads", 2);
  if (how.architecture == "pythia") config.set("rotary_pct", 0.25);
  LanguageModel model = new_language_model(
      how.architecture, config, plugins(), host(), Random(4),
      {.placement = {.dtype = how.dtype, .device = how.device}, .training = how.training, .reward_head = how.reward});
  model.tokenizer = std::make_shared<Characters>();
  model.chat_format = find_chat_format("plain");
  return model;
}

// Prompts with one, two and three answers.
inline std::vector<SequenceGroup> groups() {
  return {{{3, 4, 5, 6}, {{7, 8, 1}, {9, 1}, {10, 11, 12, 13, 1}}},
          {{20, 21}, {{22, 23, 24, 1}, {30, 1}}},
          {{40, 41, 42, 43, 44, 45, 46}, {{50, 51, 1}}}};
}

}  // namespace plumb::test
