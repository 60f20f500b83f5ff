// What a training loop moves: tensors under AdamW, all of them whole in this process, or those of a model's layers in
// parts that the ranks hold (sharded_layers.h). The loop does not see which, and the bits are the same.
//
//   TrainedTensors trained(run.tensors, settings, model);
//   BatchShare share(ranks(), trained.whole(), micros);
//   trained.begin_round(contributing); … backward …; trained.end_round();
//   trained.hand_out();
//   double norm = trained.gradient_norm();
//   trained.clip(norm, 1.0);
//   trained.step(rate);
//
// Thread contract: [lane]; in parts all ranks call the same in the same order.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/engine/modeling/safetensors.h"
#include "framework/engine/training/sharded_layers.h"
#include "framework/engine/training/update_rule.h"

namespace plumb {

// What training of the model changes, in the model's order.
std::vector<TrainedTensor> trained_tensors(const LanguageModel& model);

class TrainedTensors {
 public:
  // `in_parts`: the model whose layers are taken apart; null: all is whole.
  TrainedTensors(std::vector<TrainedTensor> tensors, const UpdateRule::Settings& settings, LanguageModel* in_parts);

  [[nodiscard]] bool in_parts() const { return layers_ != nullptr; }
  // Those whose gradients are whole here.
  [[nodiscard]] const std::vector<TrainedTensor>& whole() const { return whole_; }

  // Around a backward pass, of which the gradients of parts count on the first `contributing` ranks.
  void begin_round(int contributing);
  void end_round();
  void hand_out();  // after the last round: the gradients of parts are the batch's

  // As of UpdateRule, over all tensors.
  [[nodiscard]] double gradient_norm() const;
  void clip(double norm, double max_norm) { rule_->clip(norm, max_norm); }
  void step(double rate) { rule_->step(rate); }
  void clear_gradients() { rule_->clear_gradients(); }
  [[nodiscard]] std::string first_bad_gradient() const;
  [[nodiscard]] std::string first_bad_value() const { return rule_->first_bad_value(); }

  // Of each tensor that was given, in order.
  [[nodiscard]] std::vector<std::int64_t> updates() const;
  // Values and moments as one process has them, each whole for the time that it is made.
  [[nodiscard]] std::vector<TensorToWrite> state() const;
  void restore(const std::map<std::string, at::Tensor>& state, const std::vector<std::int64_t>& updates);

  // The training is over: moments are gone, and everything is whole.
  void finish();

 private:
  std::vector<TrainedTensor> tensors_, whole_;
  std::unique_ptr<ShardedLayers> layers_;
  std::optional<UpdateRule> rule_;
};

}  // namespace plumb
