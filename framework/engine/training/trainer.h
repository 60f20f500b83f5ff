// The training loop of every stage: batches, micro-batches with exact accumulation, clipping, schedule, evaluation,
// checkpoints, metrics.
//
//   const TrainingRun run{.tensors = tensors, .train = pairs, .order = pair_order(…), .eval = held_out};
//   TrainingResult result = train(run, settings, context);
//
// Resuming: the state is the parameters, the moments and the number of updates made; batches and dropout draws are
// functions of (seed, update), so an interrupted run ends with the same bits as an uninterrupted one on the CPU.
// Thread contract: [lane]. ATen's pool does the work; nothing else may use the cores meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "framework/core/catalogue/settings.h"
#include "framework/core/catalogue/stage.h"
#include "framework/engine/training/batching.h"
#include "framework/engine/training/objective.h"
#include "framework/engine/training/trained_tensors.h"

namespace plumb {

struct TrainingRun {
  std::vector<TrainedTensor> tensors;
  Objective* train = nullptr;
  EpochOrder order;
  Objective* eval = nullptr;  // null: no evaluation
  // Instead of `eval`: measures the model as it stands, also before the first update. May throw Cancelled.
  std::function<std::map<std::string, double>()> measure;
  // Updates between two rows of every count that users see: logging_steps, save_steps, the schedule, step numbers.
  std::int64_t updates_per_step = 1;
  double epochs_per_update = 0;  // 0: an epoch is one visit to every example of `train`
  // Its layers are in parts on the ranks while it is trained (sharded_layers.h); null: every rank has all of them.
  LanguageModel* in_parts = nullptr;
};

struct TrainingResult {
  std::int64_t updates = 0;
  double epochs = 0;
  std::int64_t tokens = 0;                       // num_tokens at the end
  double first_loss = 0, last_loss = 0;          // of the first update; mean over the last logging window
  std::map<std::string, double> eval;            // names start with eval_
  std::map<std::string, double> first_measured;  // of `measure` before the first update, without the prefix
};

// The plan that train() follows, for those who prepare something per example first (reference log-probabilities).
BatchPlan batch_plan(std::size_t examples, const EpochOrder& order, const TrainingSettings& settings, Random run);

// Metrics go to context.metrics under TRL's names: loss, learning_rate, grad_norm, epoch, num_tokens and what the
// optimizer reports, averaged over the examples since the last row; evaluations with the prefix eval_.
// Throws Error(run_failed) before an update that a NaN or an infinity would spoil, naming update, tensor and examples,
// and after one that made weights NaN or infinite; the last checkpoint, whose weights are finite, stays. Throws Cancelled after writing a checkpoint when the context asks to stop.
TrainingResult train(const TrainingRun& run, const TrainingSettings& settings, StageContext& context);

// Loss and metrics over all examples, without prefix: `loss` is the loss of all examples as one batch.
// `together`: of a model in parts, which ranks without a micro-batch compute with the others.
std::map<std::string, double> evaluate(Objective& objective, std::int64_t micro_batch_size, bool together = false);

}  // namespace plumb
