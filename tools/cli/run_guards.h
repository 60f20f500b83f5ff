// What `plumb run` and `plumb sweep` refuse before anything runs.
//
//   if (given.count("trust") == 0) require_trust(loaded);
//   require_lock(loaded.recipe, plan, loaded.registry, "runs/quickstart/recipe.lock.yaml");
//
// Thread contract: as a verb.
#pragma once

#include <filesystem>

#include "framework/core/pipeline/plan.h"

namespace plumb::cli {

// Whether a plugin's code may run without --trust: one that the user chose, that lies beside the recipe, or that lies
// in a folder which is searched anyway.
bool is_trusted(const LoadedRecipe& loaded, const std::filesystem::path& plugin);

// Throws Error(recipe) when the recipe names a plugin that lies neither beside it nor in a folder that plugins are
// searched in.
void require_trust(const LoadedRecipe& loaded);

// Throws Error(recipe) when a launcher started this process as one of several (torchrun, mpirun, srun …), for a verb
// that is one process: several would each do all of it.
void require_one_process(const std::string& verb);

// Throws Error(recipe) with every difference when this would not be the run that the lock file describes.
void require_lock(const Recipe& recipe, const Plan& plan, const Registry& registry, const std::filesystem::path& lock);

}  // namespace plumb::cli
