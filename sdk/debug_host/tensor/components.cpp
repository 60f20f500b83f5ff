// Models and optimizers.
#include <ATen/core/grad_mode.h>

#include <atomic>

#include "plumb/error.h"
#include "plumb/tensor/layers.h"
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
  explicit WatchedAttention(Watch& model)
      : model_(model), calls_(part_of(model, "attention"), Violation::Fault::plugin) {}

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
    Lent(WatchedAttention& to, Attention& attention) : to_(to), before_(to.attention_) { to_.attention_ = &attention; }
    ~Lent() { to_.attention_ = before_; }
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;

   private:
    WatchedAttention& to_;
    Attention* before_;
  };

 private:
  Watch& model_;
  Watch calls_;
  std::atomic<Attention*> attention_{nullptr};
};

// Whoever runs the layers may do so again when `hidden` has returned: then the attention is lent to them once more.
class LendingRunner final : public LayerRunner {
 public:
  LendingRunner(LayerRunner& runner, WatchedAttention& watched, Attention& attention)
      : runner_(runner), watched_(watched), attention_(attention) {}
  at::Tensor run(std::int64_t index, const at::Tensor& x, const LayerFunction& layer) override {
    const auto lending = [layer, &watched = watched_, &attention = attention_](std::int64_t i, const at::Tensor& in) {
      const WatchedAttention::Lent lent(watched, attention);
      return layer(i, in);
    };
    return runner_.run(index, x, lending);
  }

 private:
  LayerRunner& runner_;
  WatchedAttention& watched_;
  Attention& attention_;
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
    at::Tensor out = run_hidden(batch);
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
  at::Tensor run_hidden(const TokenBatch& batch) {
    const TokenBatch watched{batch.ids, batch.positions, attention_};
    LayerRunner* runner = LayersThrough::current();
    if (runner == nullptr) return inner().hidden(watched);
    LendingRunner lending(*runner, attention_, batch.attention);
    const LayersThrough scope(lending);
    return inner().hidden(watched);
  }
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

// A class whose optimizers do no more than turn a batch into a loss.
template <class Class>
class WatchedLoss : public Watched<Class> {
 public:
  using Watched<Class>::Watched;
  [[nodiscard]] Loss loss(const typename Class::Batch& batch) override {
    const Watch::Call call(this->watch(), "loss", Tag::lane);
    return checked(this->watch(), this->inner().loss(batch), batch.differentiable());
  }
};

// Classes with more are watched by more.
template <class Class>
class WatchedOptimizer final : public WatchedLoss<Class> {
 public:
  using WatchedLoss<Class>::WatchedLoss;
};

template <>
class WatchedOptimizer<PairwiseOptimizer> final : public WatchedLoss<PairwiseOptimizer> {
 public:
  using WatchedLoss::WatchedLoss;
  [[nodiscard]] bool per_token() const override {
    const Watch::Call call(watch(), "per_token", Tag::lane);
    return inner().per_token();
  }
};

template <>
class WatchedOptimizer<OnlineOptimizer> final : public Watched<OnlineOptimizer> {
 public:
  using Watched::Watched;
  std::map<std::string, double> prepare(RolloutBatch& batch) override {
    const Watch::Call call(watch(), "prepare", Tag::lane);
    auto metrics = inner().prepare(batch);
    for (const Ragged* written : {&batch.advantages, &batch.returns}) {
      watch().require(!written->defined() || written->offsets.equal(batch.logps.offsets), "prepare",
                      "advantages and returns with rows as long as those of logps, " + rows_of(batch.logps),
                      rows_of(*written));
    }
    return metrics;
  }
  [[nodiscard]] Loss loss(const RolloutBatch& batch, const Ragged& logps, const Ragged& values,
                          std::int64_t total_tokens) override {
    const Watch::Call call(watch(), "loss", Tag::lane);
    return checked(watch(), inner().loss(batch, logps, values, total_tokens), logps.values.requires_grad());
  }
  [[nodiscard]] std::map<std::string, double> state() const override {
    const Watch::Call call(watch(), "state", Tag::lane);
    return inner().state();
  }
  void restore(const std::map<std::string, double>& state) override {
    const Watch::Call call(watch(), "restore", Tag::lane);
    inner().restore(state);
  }

 private:
  static std::string rows_of(const Ragged& ragged) {
    return std::to_string(ragged.size()) + " rows of up to " + std::to_string(ragged.longest());
  }
};

template <class T, class Base>
Component* behind_class(const std::shared_ptr<Watch>& watch, Component* made) {
  auto* base = dynamic_cast<Base*>(made);
  return base == nullptr ? nullptr : new T(watch, std::unique_ptr<Base>(base));
}

Component* watch_optimizer(const std::shared_ptr<Watch>& watch, Component* made) {
  Component* watched = nullptr;
  OptimizerClasses::visit(*static_cast<Optimizer*>(made), [&]<class Class>(Class& optimizer) {
    watched = new WatchedOptimizer<Class>(watch, std::unique_ptr<Class>(&optimizer));
  });
  return watched;
}

}  // namespace

extern "C" Component* plumb_debug_host_watch_tensors(const std::shared_ptr<Watch>& watch, Component* made) {
  const std::string& kind = watch->subject().info.kind;
  if (kind == Optimizer::kind) return watch_optimizer(watch, made);
  if (kind == Model::kind) return behind_class<WatchedModel, Model>(watch, made);
  return nullptr;
}

}  // namespace plumb::debug_host
