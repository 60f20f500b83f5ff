// What ranks send each other as texts (core/ranks/rank_group.h), from values and back bit by bit: numbers as they lie in
// memory, since all ranks are the same kind of machine.
//
//   const auto all = group.gather_texts(floats_as_text(mine));
//   at::Tensor theirs = floats_of_text(all[1]);
//
// Thread contract: [any].
#pragma once

#include <span>
#include <string>
#include <vector>

#include "plumb/records.h"
#include "plumb/tensor/torch.h"

namespace plumb {

// A float32 tensor on any device, any shape -> [elements] on the CPU.
std::string floats_as_text(const at::Tensor& values);
at::Tensor floats_of_text(std::string_view text);

// Groups as lines of JSON. `who` sent them, for messages.
std::string groups_as_text(std::span<const ResponseGroup> groups);
std::vector<ResponseGroup> groups_of_text(const std::string& text, const std::string& who);

}  // namespace plumb
