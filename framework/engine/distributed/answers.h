// Prompts answered by all ranks.
//
//   const auto groups = answer_together(ranks(), prompts, host, answer);  // answer(mine) → their groups
//
// Thread contract: [lane]; all ranks together, with the same prompts.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "framework/engine/distributed/collective.h"
#include "plumb/host.h"
#include "plumb/records.h"

namespace plumb {

// Each rank answers prompts that stand side by side; all get all answers, in order. Throws Cancelled on all when the host
// of one was cancelled.
std::vector<ResponseGroup> answer_together(
    Collective& group, std::span<const Prompt> prompts, Host& host,
    const std::function<std::vector<ResponseGroup>(std::span<const Prompt>)>& answer);

}  // namespace plumb
