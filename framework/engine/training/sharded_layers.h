// The layers of a model in parts: each rank keeps an equal part of a layer's weights, of their gradients and of AdamW's
// moments, and has a layer whole only while it computes it (ZeRO's third stage, arXiv:1910.02054).
//
//   ShardedLayers layers(model, ranks());                  // whose weights are the same on all ranks
//   UpdateRule rule(layers.parts(), …);
//   layers.begin_round(contributing);
//   objective.micro_loss(…).share.backward();              // on every rank, also where it does not count
//   layers.end_round();                                    // … for all rounds of the batch
//   layers.hand_out();
//   double norm = …layers.norms()…;
//   rule.step(rate);
//   layers.make_whole();
//
// Sums, norms and updates have the bits that one process gets that holds everything. In parts are the weights of layers
// that learn and have a multiple of 64 numbers; what else learns is whole on every rank. A layer is gathered while the
// one before it is computed.
//
// Thread contract: [lane]; all ranks do the same in the same order.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "framework/engine/distributed/collective.h"
#include "framework/engine/modeling/language_model.h"
#include "framework/engine/modeling/safetensors.h"
#include "framework/engine/training/update_rule.h"

namespace plumb {

class ShardedLayers {
 public:
  // Takes the weights of the layers apart. The model needs gradient_checkpointing, and layers that go through run_layers
  // (require_layers in modeling/checkpointed_layers.h). Both arguments outlive this.
  ShardedLayers(LanguageModel& model, Collective& group);
  // Layers stay in parts unless make_whole was called; the model cannot be used then.
  ~ShardedLayers();
  ShardedLayers(const ShardedLayers&) = delete;
  ShardedLayers& operator=(const ShardedLayers&) = delete;

  // What this rank trains of them, by names of their own.
  [[nodiscard]] std::vector<TrainedTensor> parts() const;
  // The part that has some of this parameter; null: none has.
  [[nodiscard]] const TrainedTensor* part_of(const std::string& parameter) const;

  // The gradients that come until end_round count on the first `contributing` ranks.
  void begin_round(int contributing);
  void end_round();
  // The sum over all rounds becomes the gradient of the parts.
  void hand_out();
  // L2 norms of the whole gradients, scalars by the parameter's name.
  [[nodiscard]] std::map<std::string, at::Tensor> norms();

  // What a checkpoint has of a parameter, such as its moments, whole: `of_part` [numbers of the part] is this rank's.
  // Made on all ranks in one order.
  [[nodiscard]] TensorToWrite whole(const std::string& parameter, const std::string& name, const at::Tensor& of_part);
  // The reverse, for all parameters of a part: whole_of(parameter) gives each of them whole.
  [[nodiscard]] at::Tensor part_from(const TrainedTensor& part,
                                     const std::function<at::Tensor(const std::string&)>& whole_of) const;

  // The weights are whole again on every rank.
  void make_whole();

  // Puts the weights of a layer in their places, until another is used.
  void use(std::int64_t layer);

 private:
  struct Slot {
    Parameter* parameter;
    at::Tensor emptied;  // the parameter's own tensor, without its numbers
    std::int64_t begin, size;
  };
  struct Unit;
  void start(Unit& unit);
  void place(std::vector<std::unique_ptr<Unit>>& units);
  void settle();
  void drop(Unit& unit);
  void take_gradients(Unit& unit);
  at::Tensor gathered(const at::Tensor& part) const;

  LanguageModel& model_;
  Made<Model> computing_;  // the model itself, behind one that has its layers gathered
  Collective& group_;
  std::vector<std::vector<std::unique_ptr<Unit>>> layers_;
  std::map<std::string, std::pair<Unit*, std::size_t>> by_name_;
  std::int64_t current_ = -1;
  int contributing_ = 1;
  // whole() of the layer that was asked for last
  std::pair<std::int64_t, std::map<const void*, at::Tensor>> made_{-1, {}};
};

}  // namespace plumb
