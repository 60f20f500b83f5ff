// How sure a difference is when both the prompts and the trainings are samples: other prompts could have been asked, and
// training again with another seed would have given another model.
//
//   std::vector<std::map<std::string, double>> gains = …;     // by seed: prompt → score of a less score of b
//   Interval gain = over_seeds_and_prompts(gains);
//
// Prompts and seeds are crossed. The squares of the standard error over the seeds' means and of that over the prompts'
// means are added, and the mean over their root is Student's t with the degrees of freedom of Satterthwaite: min F′ of
// H. H. Clark, The language-as-fixed-effect fallacy (1973). What neither explains is counted in both, so the interval is
// rather too wide than too narrow. With two seeds it is very wide, and rightly so.
// Thread contract: [any].
#pragma once

#include <map>
#include <span>
#include <string>

#include "framework/core/evaluation/interval.h"

namespace plumb {

// The mean is over prompts of the means over the seeds that have them.
// Requires: two seeds or more, of each a prompt or more, and finite values.
Interval over_seeds_and_prompts(std::span<const std::map<std::string, double>> gains);

}  // namespace plumb
