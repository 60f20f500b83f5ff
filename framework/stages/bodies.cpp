#include "framework/stages/bodies.h"

extern "C" const plumb::StageBodies* plumb_engine_stage_bodies() {
  static const plumb::StageBodies bodies{};
  return &bodies;
}
