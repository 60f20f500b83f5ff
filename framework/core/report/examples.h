// Which prompts a page shows with the answers of each model.
//
//   Examples few{.count = 5};                                       // at even distances, so that nobody picks them
//   Examples mine{.prompts = {"What are the five most common"}};    // by id, or by how they begin
//
// Thread contract: plain data.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace plumb {

struct Examples {
  std::size_t count = 5;                  // for each evaluation
  std::vector<std::string> prompts = {};  // in place of `count`
};

}  // namespace plumb
