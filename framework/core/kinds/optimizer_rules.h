// What the kinds that train ask of their optimizer and of the rest of the recipe.
//
//   kind.rules = check_optimizer;
//
// Thread contract: as recipe/checking.h.
#pragma once

#include "framework/core/recipe/checking.h"

namespace plumb {

bool trains_rewards(const ComponentInfo& optimizer);
// Whether one of its needs is `what`, with or without a detail.
bool asks_for(const ComponentInfo& optimizer, const std::string& what);

// The optimizer learns from the data's type, and trains what the stage makes.
void check_optimizer(Checking& checking, const StageSpec& stage);
// And reads the parameters that are given for some optimizers alone.
void check_alignment(Checking& checking, const StageSpec& stage);

}  // namespace plumb
