// Models and optimizers.
#include <ATen/core/grad_mode.h>

#include <atomic>

#include "plumb/error.h"
#include "plumb/tensor/model.h"
#include "plumb/tensor/optimizer.h"
#include "sdk/debug_host/watch.h"

namespace plumb::debug_host {
namespace {

std::string shape_of(const at::Tensor& tensor) {
  if (!tensor.defined()) return "an undefined tensor";
  std::string out = "[";
  for (const std::int64_t size : tensor.sizes()) out += (out.size() > 1 ? ", " : "") + std::to_string(size);
  return out + "]";
}

bool has_shape(const at::Tensor& tensor, std::int64_t rows, std::int64_t columns) {
  return tensor.defined() && tensor.dim() == 2 && tensor.size(0) == rows && tensor.size(1) == columns;
}

// The framework's attention as the model sees it, for the length of one forward pass.
class WatchedAttention final : public Attention {
 public:
  explicit WatchedAttention(Watch& model) : model_(model), calls_(subject_of(model), Violation::Fault::plugin) {}

  at::Tensor attend(std::int64_t layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    const AttentionOptions& options) override {
    const Watch::Call call(calls_, "attend", Tag::lane);
    Attention* attention = attention_;
    if (attention == nullptr) {
      model_.accuse(Violation::Fault::plugin, "attend", "a call while hidden runs",
                    "a call on " + Thread::current().text() + " after it has returned");
      throw Error(ErrorCode::plugin, "attention is over");  // with a handler that goes on there is nothing to return
    }
    const bool fit = q.defined() && k.defined() && v.defined() && q.dim() == 3 && k.dim() == 3 && v.dim() == 3 &&
                     q.size(0) == k.size(0) && k.size(0) == v.size(0) && k.size(1) == v.size(1) && k.size(1) > 0 &&
                     q.size(1) % k.size(1) == 0 && q.size(2) == k.size(2);
    model_.require(fit, "attend",
                   "q [tokens, heads, dim], k and v [tokens, kv_heads, dim], heads a multiple of kv_heads",
                   shape_of(q) + ", " + shape_of(k) + " and " + shape_of(v));
    return attention->attend(layer, q, k, v, options);
  }

  class Lent {
   public:
    Lent(WatchedAttention& to, Attention& attention) : to_(to) { to_.attention_ = &attention; }
    ~Lent() { to_.attention_ = nullptr; }
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;

   private:
    WatchedAttention& to_;
  };

 private:
  static Subject subject_of(const Watch& model) {
    Subject subject = model.subject();
    subject.title = "the attention of " + subject.title;
    return subject;
  }
  Watch& model_;
  Watch calls_;
  std::atomic<Attention*> attention_{nullptr};
};

class WatchedModel final : public Watched<Model> {
 public:
  using Watched::Watched;
  [[nodiscard]] ModelShape shape() const override {
    const Watch::Call call(watch(), "shape", Tag::any);
    return inner().shape();
  }
  [[nodiscard]] at::Tensor hidden(const TokenBatch& batch) override {
    const Watch::Call call(watch(), "hidden", Tag::lane);
    const std::int64_t tokens = batch.ids.numel();
    if (batch.ids.dim() != 1 || batch.ids.scalar_type() != at::kLong || batch.positions.sizes() != batch.ids.sizes() ||
        batch.positions.scalar_type() != at::kLong) {
      watch().accuse(Violation::Fault::framework, "hidden", "ids and positions [tokens] int64",
                     shape_of(batch.ids) + " and " + shape_of(batch.positions), true);
    }
    const WatchedAttention::Lent lent(attention_, batch.attention);
    at::Tensor out = inner().hidden({batch.ids, batch.positions, attention_});
    const std::int64_t width = inner().shape().hidden;
    watch().require(has_shape(out, tokens, width), "hidden", sizes(tokens, width), shape_of(out));
    return out;
  }
  [[nodiscard]] at::Tensor logits(const at::Tensor& hidden) override {
    const Watch::Call call(watch(), "logits", Tag::lane);
    at::Tensor out = inner().logits(hidden);
    const std::int64_t rows = hidden.size(0), vocabulary = inner().shape().vocabulary;
    watch().require(has_shape(out, rows, vocabulary), "logits", sizes(rows, vocabulary), shape_of(out));
    return out;
  }
  [[nodiscard]] std::vector<std::string> default_lora_targets() const override {
    const Watch::Call call(watch(), "default_lora_targets", Tag::lane);
    return inner().default_lora_targets();
  }
  [[nodiscard]] std::string architecture(bool classifier) const override {
    const Watch::Call call(watch(), "architecture", Tag::lane);
    return inner().architecture(classifier);
  }

 private:
  static std::string sizes(std::int64_t rows, std::int64_t columns) {
    return "[" + std::to_string(rows) + ", " + std::to_string(columns) + "]";
  }
  WatchedAttention attention_{watch()};
};

// One number, with a gradient when what it was computed from has one.
Loss checked(Watch& watch, Loss loss, bool differentiable) {
  watch.require(loss.value.defined() && loss.value.numel() == 1, "loss", "one number", shape_of(loss.value));
  watch.require(!differentiable || !at::GradMode::is_enabled() || loss.value.requires_grad(), "loss", "a gradient",
                "a loss that was detached from the policy");
  return loss;
}

class WatchedTokens final : public Watched<TokenOptimizer> {
 public:
  using Watched::Watched;
  [[nodiscard]] Loss loss(const TokenLossBatch& batch) override {
    const Watch::Call call(watch(), "loss", Tag::lane);
    return checked(watch(), inner().loss(batch), batch.logps.requires_grad());
  }
};

class WatchedPairs final : public Watched<PairwiseOptimizer> {
 public:
  using Watched::Watched;
  [[nodiscard]] bool per_token() const override {
    const Watch::Call call(watch(), "per_token", Tag::lane);
    return inner().per_token();
  }
  [[nodiscard]] Loss loss(const PairBatch& batch) override {
    const Watch::Call call(watch(), "loss", Tag::lane);
    return checked(watch(), inner().loss(batch),
                   batch.policy_chosen.requires_grad() || batch.policy_rejected.requires_grad());
  }
};

class WatchedScores final : public Watched<ScoreOptimizer> {
 public:
  using Watched::Watched;
  [[nodiscard]] Loss loss(const ScoreBatch& batch) override {
    const Watch::Call call(watch(), "loss", Tag::lane);
    return checked(watch(), inner().loss(batch), batch.chosen.requires_grad() || batch.rejected.requires_grad());
  }
};

class WatchedUnpaired final : public Watched<UnpairedOptimizer> {
 public:
  using Watched::Watched;
  [[nodiscard]] Loss loss(const UnpairedBatch& batch) override {
    const Watch::Call call(watch(), "loss", Tag::lane);
    return checked(watch(), inner().loss(batch), batch.policy.requires_grad());
  }
};

class WatchedOnline final : public Watched<OnlineOptimizer> {
 public:
  using Watched::Watched;
  std::map<std::string, double> prepare(RolloutBatch& batch) override {
    const Watch::Call call(watch(), "prepare", Tag::lane);
    auto metrics = inner().prepare(batch);
    for (const at::Tensor* written : {&batch.advantages, &batch.returns}) {
      watch().require(!written->defined() || written->sizes() == batch.mask.sizes(), "prepare",
                      "advantages and returns of the mask's shape, " + shape_of(batch.mask), shape_of(*written));
    }
    return metrics;
  }
  [[nodiscard]] Loss loss(const RolloutBatch& batch, const at::Tensor& logps, const at::Tensor& values,
                          std::int64_t total_tokens) override {
    const Watch::Call call(watch(), "loss", Tag::lane);
    return checked(watch(), inner().loss(batch, logps, values, total_tokens), logps.requires_grad());
  }
  [[nodiscard]] std::map<std::string, double> state() const override {
    const Watch::Call call(watch(), "state", Tag::lane);
    return inner().state();
  }
  void restore(const std::map<std::string, double>& state) override {
    const Watch::Call call(watch(), "restore", Tag::lane);
    inner().restore(state);
  }
};

template <class T, class Base>
Component* behind_class(const std::shared_ptr<Watch>& watch, Component* made) {
  auto* base = dynamic_cast<Base*>(made);
  return base == nullptr ? nullptr : new T(watch, std::unique_ptr<Base>(base));
}

Component* watch_optimizer(const std::shared_ptr<Watch>& watch, Component* made) {
  Component* (*const classes[])(const std::shared_ptr<Watch>&, Component*) = {
      behind_class<WatchedTokens, TokenOptimizer>,  behind_class<WatchedPairs, PairwiseOptimizer>,
      behind_class<WatchedScores, ScoreOptimizer>,  behind_class<WatchedUnpaired, UnpairedOptimizer>,
      behind_class<WatchedOnline, OnlineOptimizer>,
  };
  for (const auto& one : classes) {
    if (Component* watched = one(watch, made)) return watched;
  }
  return nullptr;
}

}  // namespace

extern "C" Component* plumb_debug_host_watch_tensors(const std::shared_ptr<Watch>& watch, Component* made) {
  const std::string& kind = watch->subject().info.kind;
  if (kind == Optimizer::kind) return watch_optimizer(watch, made);
  if (kind == Model::kind) return behind_class<WatchedModel, Model>(watch, made);
  return nullptr;
}

}  // namespace plumb::debug_host
