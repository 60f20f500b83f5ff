#include "framework/core/door/bodies.h"

#include "framework/engine/stages/body.h"

namespace plumb {
namespace {

StageBodies& bodies() {
  static StageBodies all;
  return all;
}

}  // namespace

BodyRegistration::BodyRegistration(const char* kind, void (*run)(StageContext& context)) {
  bodies().emplace(kind, run);
}

}  // namespace plumb

extern "C" const plumb::StageBodies* plumb_engine_stage_bodies() {
  return &plumb::bodies();
}
