#include "framework/core/door/bodies.h"

#include <set>

#include "framework/core/door/ranks.h"
#include "framework/engine/stages/body.h"

namespace plumb {
namespace {

StageBodies& bodies() {
  static StageBodies all;
  return all;
}

std::set<std::string>& bodies_on_ranks() {
  static std::set<std::string> all;
  return all;
}

}  // namespace

BodyRegistration::BodyRegistration(const char* kind, void (*run)(StageContext& context), bool ranks) {
  bodies().emplace(kind, run);
  if (ranks) bodies_on_ranks().insert(kind);
}

}  // namespace plumb

extern "C" const plumb::StageBodies* plumb_engine_stage_bodies() {
  return &plumb::bodies();
}

extern "C" bool plumb_engine_works_on_ranks(const char* kind) {
  return plumb::bodies_on_ranks().contains(kind);
}
