// How the body of a stage kind that needs tensors becomes known: it registers itself, under the name of its kind
// (catalogue/stage.h).
//
//   void run(StageContext& context) { … }                    // engine/stages/KIND.cpp
//   const BodyRegistration registered("sample", run);
//
// Thread contract: objects are static; a body runs in one thread at a time.
#pragma once

#include "framework/core/catalogue/stage.h"

namespace plumb {

class BodyRegistration {
 public:
  BodyRegistration(const char* kind, void (*run)(StageContext& context));
};

}  // namespace plumb
