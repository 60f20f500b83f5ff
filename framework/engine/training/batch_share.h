// A rank's share of a batch, and what all shares give together. Micro-batch j of a batch is rank j mod world's;
// gradients, losses and metrics are added in the order of the micro-batches, so that every rank ends with the bits that
// one process gets, whatever the number of ranks.
//
//   BatchShare share(ranks(), tensors, micros.size());           // those that every rank holds whole
//   for (std::size_t j = 0; j < micros.size(); ++j) {
//     if (!share.mine(j)) continue;
//     MicroLoss loss = objective.micro_loss(micros[j], totals);
//     loss.share.backward();
//     share.add(j, loss);
//   }
//   for (const MicroResult& micro : share.finish()) …              // of all ranks, in order; gradients are the batch's
//
// Alone it adds nothing: gradients stay where autograd accumulates them. Thread contract: [lane]; all ranks together.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "framework/engine/distributed/collective.h"
#include "framework/engine/training/objective.h"
#include "framework/engine/training/update_rule.h"

namespace plumb {

struct MicroResult {
  double loss = 0;                   // its share of the batch's
  at::ScalarType type = at::kFloat;  // that it was computed in
  std::map<std::string, double> metrics;
};

// The sum of the losses as one process adds them: one after the other, in the type that they were computed in.
double sum_of_losses(const std::vector<MicroResult>& micros);

class BatchShare {
 public:
  // `micros`: micro-batches of the whole batch. Without tensors no gradients are summed: an evaluation.
  BatchShare(Collective& group, const std::vector<TrainedTensor>& tensors, std::size_t micros);

  [[nodiscard]] bool mine(std::size_t micro) const;
  // Ranks that have a micro-batch in the round of this one: the first so many.
  [[nodiscard]] int contributing(std::size_t micro) const;
  // Whether the last round has no micro-batch for this rank.
  [[nodiscard]] bool idle_at_the_end() const;
  // Of micro-batches that are mine, ascending, after backward.
  void add(std::size_t micro, const MicroLoss& loss);
  // Throws RankMissing; then the gradients are not the batch's.
  std::vector<MicroResult> finish();

 private:
  // Trained tensors of one type, one after the other, padded so that each rank has a part of whole vectors.
  struct Flat {
    std::vector<at::Tensor> tensors;
    at::Tensor all, sum;     // [world · n] of a round; [n] this rank's part of the sum
    std::vector<bool> seen;  // which had a gradient
  };
  void end_round(int contributing);
  void hand_out();
  void clear();
  void read_losses();

  Collective& group_;
  std::size_t micros_;
  std::vector<Flat> flats_;
  std::size_t rounds_ = 0;
  std::vector<MicroResult> mine_;
  std::vector<at::Tensor> shares_;  // their losses, where they were computed
};

// Whether any rank says so, for all ranks alike. `same`: a number that must be the same bits everywhere; throws
// Error(run_failed) that names the rank where it is not.
bool any_rank(Collective& group, bool here, double same);

}  // namespace plumb
