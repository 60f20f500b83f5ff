// Training checkpoints: everything that a run needs to go on bit by bit, written so that an interruption at any instant
// leaves the last good one.
//
//   CheckpointFolder checkpoints(context.work_folder() / "checkpoints");
//   checkpoints.write({.step = 100, .state = state, .tensors = rule.state()});
//   if (auto last = checkpoints.last()) rule.restore(last->tensors, …);
//
// checkpoint-STEP/ holds tensors.safetensors and, written last, state.json with the SHA-256 of both. A new checkpoint is
// written under a temporary name, synced, read back and checked, renamed; only then is the one before removed. `last`
// takes the newest whose hash is right, so a damaged one costs steps, never the run. Thread contract: [lane]; one
// process at a time (the stage's lock).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/engine/modeling/safetensors.h"
#include "plumb/tensor/torch.h"
#include "plumb/value.h"

namespace plumb {

struct CheckpointToWrite {
  std::int64_t step = 0;
  Value state;  // counters and whatever else the loop carries; a map
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  std::vector<TensorToWrite> made;  // likewise, each made when it is written
};

struct Checkpoint {
  std::int64_t step = 0;
  Value state;
  std::map<std::string, at::Tensor> tensors;  // views of the file
};

class CheckpointFolder {
 public:
  explicit CheckpointFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}
  // Throws Error(data) that names the file and why: a full disk, a folder without permission.
  void write(const CheckpointToWrite& checkpoint);
  // The newest whole checkpoint; what is wrong with newer ones is appended to `complaints`.
  [[nodiscard]] std::optional<Checkpoint> last(std::vector<std::string>* complaints = nullptr) const;
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

 private:
  [[nodiscard]] std::vector<std::int64_t> steps() const;  // newest first
  [[nodiscard]] std::filesystem::path folder_of(std::int64_t step) const;
  std::filesystem::path folder_;
};

}  // namespace plumb
