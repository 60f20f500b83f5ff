// A rank above 0: it waits for rank 0's calls and runs the bodies that rank 0 runs, until rank 0 says that the run is over.
//
//   return follow(*group, loaded.recipe, loaded.registry);          // the exit status: rank 0's, or that of what failed here
//
// Thread contract: [lane].
#pragma once

#include <exception>

#include "framework/core/ranks/rank_group.h"
#include "framework/core/recipe/recipe.h"

namespace plumb {

// Prints nothing: what fails here is told to rank 0, which names this rank and says it.
int follow(RankGroup& group, const Recipe& recipe, const Registry& registry);

// Tells rank 0 what failed on this rank and waits until the run is over. The exit status.
int report_failure(RankGroup& group, const std::exception_ptr& failure);

}  // namespace plumb
