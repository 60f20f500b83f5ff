#include "framework/core/door/bodies.h"

extern "C" const plumb::StageBodies* plumb_engine_stage_bodies() {
  static const plumb::StageBodies bodies{
      {"dataset", plumb::run_dataset},
      {"tokenizer", plumb::run_tokenizer},
      {"mix", plumb::run_mix},
      {"model", plumb::run_model},
      {"language_model", plumb::run_language_model},
      {"sft", plumb::run_sft},
      {"reward_model", plumb::run_reward_model},
      {"sample", plumb::run_sample},
      {"score", plumb::run_score},
      {"select", plumb::run_select},
      {"train", plumb::run_train},
      {"evaluate", plumb::run_evaluate},
      {"report", plumb::run_report},
  };
  return &bodies;
}
