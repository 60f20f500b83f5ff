// What the engine library gives the core by C symbols: the bodies of the stage kinds that need LibTorch, and its threads.
// A run opens it when such a stage is not cached and not before (door/engine.h).
//
//   auto* table = boost::dll::shared_library(engine).get<const StageBodies*()>("plumb_engine_stage_bodies")();
//   table->at("sample")(context);
//
// Thread contract: [any]; the table never changes. A body runs in one thread at a time.
#pragma once

#include <map>
#include <string>

#include "framework/core/catalogue/stage.h"

namespace plumb {

using StageBodies = std::map<std::string, StageBody>;  // by StageKind::kind

}  // namespace plumb

extern "C" const plumb::StageBodies* plumb_engine_stage_bodies();
// While true, LibTorch computes in the calling thread alone. Calls come in pairs, true first.
extern "C" void plumb_engine_compute_in_one_thread(bool alone);
// How many threads LibTorch computes with in the calling thread; `wanted` above 0 sets it first, for later threads too.
extern "C" int plumb_engine_threads(int wanted);
