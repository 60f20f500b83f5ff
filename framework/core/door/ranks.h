// From the core into what the engine knows of ranks.
//
//   const auto group = join_ranks(place, {.timeout = timeout});
//   const WorkInRanks scope(*group);                  // bodies of the engine work with the others from here on
//   Engine::open().body("sft")(context);
//
// Thread contract: [setup].
#pragma once

#include <memory>
#include <string>

#include "framework/core/ranks/rank_group.h"

namespace plumb {

// Opens the engine. Throws Error(run_failed) when the others cannot be reached, Error(plugin) without the engine.
std::unique_ptr<RankGroup> join_ranks(const Place& place, const JoinOptions& options);
// Whether the bodies of this stage kind work on several ranks. Opens the engine.
bool works_on_ranks(const std::string& kind);

class WorkInRanks {
 public:
  explicit WorkInRanks(RankGroup& group);
  WorkInRanks(const WorkInRanks&) = delete;
  WorkInRanks& operator=(const WorkInRanks&) = delete;
  ~WorkInRanks();
};

}  // namespace plumb

extern "C" plumb::RankGroup* plumb_engine_join(const plumb::Place& place, const plumb::JoinOptions& options);
extern "C" bool plumb_engine_works_on_ranks(const char* kind);
extern "C" void plumb_engine_work_in(plumb::RankGroup* group);  // null: alone
