// Components that a stage uses only when another of its components asks for them: not a plain default, which would tie
// every stage of the kind to their plugin.
//
//   for (const NeededDefault& d : needed_defaults("train")) …      // reward: classifier-head, for PPO
//
// The recipe's check fills them in, so that what runs is in the resolved recipe, the content key and the lock.
// Thread contract: [any].
#pragma once

#include <string>
#include <vector>

#include "plumb/value.h"

namespace plumb {

struct NeededDefault {
  std::string param;   // is null, and gets
  Value value;         // when
  std::string asker;   // the component of this parameter registered
  std::string need;    // this need, and
  std::string beside;  // this parameter is given
};

std::vector<NeededDefault> needed_defaults(const std::string& stage_kind);

}  // namespace plumb
