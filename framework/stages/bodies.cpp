#include "framework/stages/bodies.h"

extern "C" const plumb::StageBodies* plumb_engine_stage_bodies() {
  static const plumb::StageBodies bodies{
      {"dataset", plumb::run_dataset},
      {"tokenizer", plumb::run_tokenizer},
      {"model", plumb::run_model},
      {"select", plumb::run_select},
      {"evaluate", plumb::run_evaluate},
      {"report", plumb::run_report},
  };
  return &bodies;
}
