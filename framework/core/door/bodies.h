// What runs when a stage of some kind runs. The bodies need LibTorch, so they live in the engine library, which a run
// opens only when a stage is not cached (door/engine.h).
//
//   auto* table = boost::dll::shared_library(engine).get<const StageBodies*()>("plumb_engine_stage_bodies")();
//   table->at("sample")(context);
//
// To add a kind: declare `void run_KIND(StageContext& context)` here, add its line in bodies.cpp, and declare its
// parameters in catalogue.cpp.
// Thread contract: [any]; the table never changes. A body runs in one thread at a time.
#pragma once

#include <map>
#include <string>

#include "framework/core/catalogue/stage.h"

namespace plumb {

using StageBodies = std::map<std::string, StageBody>;  // by StageKind::kind

void run_dataset(StageContext& context);
void run_mix(StageContext& context);
void run_tokenizer(StageContext& context);
void run_model(StageContext& context);
void run_language_model(StageContext& context);
void run_sft(StageContext& context);
void run_reward_model(StageContext& context);
void run_sample(StageContext& context);
void run_score(StageContext& context);
void run_select(StageContext& context);
void run_train(StageContext& context);
void run_evaluate(StageContext& context);
void run_report(StageContext& context);

}  // namespace plumb

extern "C" const plumb::StageBodies* plumb_engine_stage_bodies();
// While true, LibTorch computes in the calling thread alone. Calls come in pairs, true first.
extern "C" void plumb_engine_compute_in_one_thread(bool alone);
// How many threads LibTorch computes with in the calling thread; `wanted` above 0 sets it first, for later threads too.
extern "C" int plumb_engine_threads(int wanted);
