// --dtype, --device and --weights of the verbs that open a model: plumb/placement.h as options.
//
//   add_placement_options(options);
//   const Placement placement = placement_of(*given);
//
// Thread contract: as a verb.
#pragma once

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/variables_map.hpp>
#include <string>
#include <vector>

#include "plumb/placement.h"

namespace plumb::cli {

// `names`: those of a verb that fixes the others.
void add_placement_options(boost::program_options::options_description& options,
                           const std::vector<std::string>& names = {"dtype", "device", "weights"});

// Error(recipe) for a value that is none of the choices, and for a device that this machine does not have.
Placement placement_of(const boost::program_options::variables_map& given);

}  // namespace plumb::cli
