// What the ranks of a run do together with tensors. c10d does the work: Gloo for tensors of the CPU, NCCL for a GPU's.
//
//   Collective& group = ranks();                                     // alone() unless a stage runs on several
//   at::Tensor sum;                                                  // this rank's part of all gradients
//   for (…) add_in_order(group, sum, padded_gradient, contributing);
//   group.gather(whole, sum)->wait();
//
// Thread contract: [lane]; all ranks call the same in the same order. Tensors are contiguous, of the same type, size and
// kind of device on all ranks.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "framework/core/ranks/place.h"
#include "framework/core/ranks/rank_group.h"
#include "plumb/tensor/torch.h"

namespace plumb {

// Something under way. It keeps its tensors alive; they are not touched before wait() has returned.
class Work {
 public:
  virtual ~Work() = default;
  // Throws RankMissing that names the rank which failed, is gone or does not come. A GPU's results are then ready for
  // what is put on its current stream.
  virtual void wait() = 0;
};

class Collective : public RankGroup {
 public:
  Collective(int rank, int world, int local_rank) : RankGroup(rank, world), local_rank_(local_rank) {}
  // Among those of this machine: the number of its GPU, where a recipe says `cuda`.
  [[nodiscard]] int local_rank() const { return local_rank_; }
  // full [world · n] <- part [n] of every rank, in order of ranks.
  [[nodiscard]] virtual std::unique_ptr<Work> gather(const at::Tensor& full, const at::Tensor& part) = 0;
  // Piece p of `pieces` [world · n] goes to rank p; `received` [world · n] <- what each rank has for this one, in order.
  [[nodiscard]] virtual std::unique_ptr<Work> exchange(const at::Tensor& received, const at::Tensor& pieces) = 0;
  // tensor <- rank 0's.
  [[nodiscard]] virtual std::unique_ptr<Work> broadcast(const at::Tensor& tensor) = 0;

 private:
  int local_rank_;
};

// This process by itself: everything is a copy or nothing.
Collective& alone();

// Reduce-scatter by a left fold: sum [n], this rank's part, becomes ((sum + full of rank 0) + full of rank 1) + …, of the
// first `contributing` ranks; undefined, it starts with rank 0's. So the sum over rounds in which rank r holds the
// gradient of micro-batch round · world + r has the bits that one process gets by adding them one after the other, on any
// number of ranks. full [world · n]; all ranks pass one, those past `contributing` with any content.
void add_in_order(Collective& group, at::Tensor& sum, const at::Tensor& full, int contributing);

// Joins those that the launcher started. Throws Error(run_failed) that says what could not be reached.
std::unique_ptr<Collective> join(const Place& place, const JoinOptions& options);

// The group that a body works in: alone() unless the pipeline started it on several ranks.
Collective& ranks();

}  // namespace plumb
