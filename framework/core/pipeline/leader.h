// Rank 0 of a run on several ranks: it is the run as ever, owns plan, locks, record and terminal, and calls the others to
// the stages that work on ranks. The other end is follower.h.
//
//   Leader leader(*group, place);
//   leader.agree(recipe, runs);                       // the same code, plugins and recipe; one folder of runs
//   run_recipe(recipe, text, registry, {.runs = runs, .runner = &leader, .ranks = leader.record()});
//   leader.end(0);
//
// Thread contract: [lane].
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "framework/core/pipeline/stage_runner.h"
#include "framework/core/ranks/rank_group.h"

namespace plumb {

class Registry;
struct Recipe;

// What must be the same on all ranks: the code, the recipe as resolved, the plugins that it uses.
Value facts_of(const Recipe& recipe);

// Called by all ranks together. Throws Error on each: recipe with the first rank and fact that differ from rank 0's, data
// when a rank does not see within 30 seconds what rank 0 wrote in the folder of runs.
void agree(RankGroup& group, const Value& facts, const std::filesystem::path& runs);

class Leader final : public StageRunner {
 public:
  Leader(RankGroup& group, Place place) : group_(group), place_(std::move(place)) {}

  // The function of this name, for rank 0.
  void agree(const Recipe& recipe, const std::filesystem::path& runs);
  void run(const StageTask& task) override;
  // For run.json: the launcher and the processes by rank.
  [[nodiscard]] Value record();
  // The run is over with this exit status: tells the others and waits some seconds until they know.
  void end(int status);

 private:
  RankGroup& group_;
  const Place place_;
  std::unique_ptr<StageRunner> here_ = run_in_this_process();
  int stages_ = 0;
};

// How rank 0 calls, and how the others answer: names on the board.
namespace call {
std::string stage(int number);           // {"stage", "folder", "work", "threads", "inputs": {STAGE: FOLDER}}
std::string done(int number, int rank);  // that rank's body has returned
std::string gone(int rank);              // it knows that the run is over
}  // namespace call

}  // namespace plumb
