// Fixtures for the unit tests of plugins that see tensors.
//
//   plumb::testing::PluginUnderTest plugin;
//   plumb::testing::ModelUnderTest model(plugin, "my-model", config);        // random weights, from a seed
//   at::Tensor logits = model.logits({5, 3, 8});                             // [tokens, vocabulary]
//
//   auto optimizer = plugin.make<plumb::Optimizer>("simpo");
//   auto* pairwise = dynamic_cast<plumb::PairwiseOptimizer*>(optimizer.get());
//   plumb::testing::gradient_error(leaf, [&] { return pairwise->loss(batch).value; });   // below 1e-6 in double
//
// Thread contract: [setup].
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "plumb/tensor/model.h"
#include "plumb/tensor/optimizer.h"
#include "plumb/testing.h"

namespace plumb::testing {

// Causal attention over one sequence by its definition, softmax(q kᵀ · scale) v, with grouped heads and windows; slow,
// differentiable, in the type it is given.
class PlainAttention final : public Attention {
 public:
  at::Tensor attend(std::int64_t layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    const AttentionOptions& options) override;
};

// A model of the plugin under test in double precision, its weights drawn from a seed. `config` is what config.json
// would hold.
class ModelUnderTest {
 public:
  ModelUnderTest(PluginUnderTest& plugin, const std::string& name, Value config, std::uint64_t seed = 1);

  // Of one sequence, [tokens, vocabulary].
  at::Tensor logits(const std::vector<std::int64_t>& ids);

  Parameters parameters;
  std::unique_ptr<Model> model;

 private:
  Value config_;
  PlainAttention attention_;
};

// The largest difference between the gradient of `loss` at `leaf` (a double tensor that the loss reads) and its central
// finite difference, over max(1, |gradient|). Perturbs `leaf` in place and restores it. Looks at `entries` entries,
// spread evenly.
double gradient_error(at::Tensor leaf, const std::function<at::Tensor()>& loss, std::int64_t entries = 16);

}  // namespace plumb::testing
