// Prompts and answers that the tests of several kinds ask about.
//
// Thread contract: pure functions.
#pragma once

#include <vector>

#include "plumb/records.h"

namespace plumb::check {

// Single-turn and two-turn, plain and with characters of several bytes; ids are "prompt-0", "prompt-1", …
std::vector<Prompt> some_prompts();

// Each prompt with a few answers, short and long.
std::vector<ResponseGroup> some_groups();

}  // namespace plumb::check
