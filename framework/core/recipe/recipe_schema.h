// A JSON Schema (draft 7) of recipes, for editors: it completes and checks keys, stage kinds, components and their
// parameters while a recipe is written.
//
//   std::cout << to_json(recipe_schema(registry), false, 1);      // yaml-language-server reads it
//
// It knows the components of the registry. It accepts every valid recipe that uses no others and refuses unknown keys,
// wrong types and values out of range; inputs, files and rules between parameters are `plumb validate`'s concern.
// Thread contract: [any].
#pragma once

#include "framework/core/registry/registry.h"
#include "plumb/value.h"

namespace plumb {

Value recipe_schema(const Registry& registry);

}  // namespace plumb
