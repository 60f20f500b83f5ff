// How the body of a stage kind that needs tensors becomes known: it registers itself, under the name of its kind
// (catalogue/stage.h).
//
//   void run(StageContext& context) { … }                    // engine/stages/KIND.cpp
//   const BodyRegistration registered("sample", run, on_ranks);
//
// A body that was registered with on_ranks runs on every rank of the run at once and works with the others
// (distributed/collective.h): rank 0 alone writes, all return the same way. Others run on rank 0 while the rest wait.
// Thread contract: objects are static; a body runs in one thread at a time.
#pragma once

#include "framework/core/catalogue/stage.h"

namespace plumb {

inline constexpr bool on_ranks = true;

class BodyRegistration {
 public:
  BodyRegistration(const char* kind, void (*run)(StageContext& context), bool ranks = false);
};

}  // namespace plumb
