#include "framework/engine/training/sharded_layers.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <charconv>

#include "plumb/error.h"
#include "plumb/tensor/layers.h"

namespace plumb {
namespace {

constexpr std::int64_t kVector = 64;  // numbers: a part has no tail that a vector unit takes otherwise

// The first number in a parameter's name, between dots: its layer. -1: it has none.
std::int64_t layer_of(const std::string& name) {
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    std::int64_t number = -1;
    const auto read = std::from_chars(name.data() + begin, name.data() + end, number);
    if (read.ec == std::errc() && read.ptr == name.data() + end && number >= 0) return number;
    begin = end + 1;
  }
  return -1;
}

// Has a layer gathered before it is computed, and again before it is computed for its gradient.
class Gathering final : public LayerRunner {
 public:
  Gathering(ShardedLayers& layers, LayerRunner* runner) : layers_(layers), runner_(runner) {}
  at::Tensor run(std::int64_t index, const at::Tensor& x, const LayerFunction& layer) override {
    const auto gathered = [&layers = layers_, layer](std::int64_t i, const at::Tensor& in) {
      layers.use(i);
      return layer(i, in);
    };
    return runner_ == nullptr ? gathered(index, x) : runner_->run(index, x, gathered);
  }

 private:
  ShardedLayers& layers_;
  LayerRunner* runner_;
};

class InParts final : public Model {
 public:
  InParts(std::shared_ptr<Model> model, ShardedLayers& layers) : model_(std::move(model)), layers_(layers) {}
  [[nodiscard]] ModelShape shape() const override { return model_->shape(); }
  [[nodiscard]] at::Tensor hidden(const TokenBatch& batch) override {
    Gathering gathering(layers_, LayersThrough::current());
    const LayersThrough scope(gathering);
    return model_->hidden(batch);
  }
  [[nodiscard]] at::Tensor logits(const at::Tensor& hidden) override { return model_->logits(hidden); }
  [[nodiscard]] std::vector<std::string> default_lora_targets() const override {
    return model_->default_lora_targets();
  }
  [[nodiscard]] std::string architecture(bool classifier) const override { return model_->architecture(classifier); }

 private:
  std::shared_ptr<Model> model_;
  ShardedLayers& layers_;
};

}  // namespace

// Weights of a layer of one type that decay alike, one after the other.
struct ShardedLayers::Unit {
  std::int64_t layer = 0;
  std::vector<Slot> slots;
  std::int64_t size = 0;         // numbers of all slots
  TrainedTensor part;            // [n], n a multiple of kVector
  at::Tensor sum;                // [n] of the gradients so far
  at::Tensor full;               // [world · n] while it is gathered
  std::unique_ptr<Work> coming;  // on its way into `full`
};

ShardedLayers::ShardedLayers(LanguageModel& model, Collective& group)
    : model_(model), computing_(model.model), group_(group) {
  const at::NoGradGuard no_grad;
  layers_.resize(static_cast<std::size_t>(model.shape().layers));
  for (Parameter* parameter : model.trainable()) {
    const at::Tensor& value = *parameter->tensor;
    const std::int64_t layer = layer_of(parameter->name);
    if (layer < 0 || layer >= model.shape().layers || value.numel() % kVector != 0) continue;
    auto& units = layers_[static_cast<std::size_t>(layer)];
    auto unit = std::find_if(units.begin(), units.end(), [&](const auto& one) {
      return one->part.decays == parameter->decays &&
             one->slots.front().parameter->tensor->scalar_type() == value.scalar_type();
    });
    if (unit == units.end()) {
      unit = units.insert(units.end(), std::make_unique<Unit>());
      (*unit)->layer = layer;
      (*unit)->part.decays = parameter->decays;
      (*unit)->part.name = "the part of " + parameter->name + " and its like";
    }
    by_name_[parameter->name] = {unit->get(), (*unit)->slots.size()};
    (*unit)->slots.push_back({parameter, value, (*unit)->size, value.numel()});
    (*unit)->size += value.numel();
  }
  for (auto& units : layers_) {
    for (auto& unit : units) {
      const auto options = unit->slots.front().emptied.options().requires_grad(false);
      const std::int64_t step = kVector * group.world(), n = (unit->size + step - 1) / step * kVector;
      at::Tensor whole = at::zeros({n * group.world()}, options);
      for (Slot& slot : unit->slots) {
        whole.narrow(0, slot.begin, slot.size).copy_(slot.emptied.detach().view(-1));
        slot.emptied.set_data(at::empty({0}, options));  // of everybody who holds it
      }
      unit->part.value = whole.narrow(0, n * group.rank(), n).clone().set_requires_grad(true);
    }
  }
  model.model = {std::make_shared<InParts>(computing_.bare(), *this), computing_.name(), computing_.stage()};
}

ShardedLayers::~ShardedLayers() {
  model_.model = computing_;
  for (auto& units : layers_) {
    for (auto& unit : units) {
      unit->coming.reset();  // not waited for: a rank may be gone
      drop(*unit);
    }
  }
}

std::vector<TrainedTensor> ShardedLayers::parts() const {
  std::vector<TrainedTensor> out;
  for (const auto& units : layers_) {
    for (const auto& unit : units) out.push_back(unit->part);
  }
  return out;
}

const TrainedTensor* ShardedLayers::part_of(const std::string& parameter) const {
  const auto found = by_name_.find(parameter);
  return found == by_name_.end() ? nullptr : &found->second.first->part;
}

at::Tensor ShardedLayers::gathered(const at::Tensor& part) const {
  at::Tensor full = at::empty({part.numel() * group_.world()}, part.options().requires_grad(false));
  group_.gather(full, part.detach())->wait();
  return full;
}

void ShardedLayers::start(Unit& unit) {
  if (unit.full.defined()) return;
  const at::Tensor part = unit.part.value.detach();
  unit.full = at::empty({part.numel() * group_.world()}, part.options());
  unit.coming = group_.gather(unit.full, part);
}

void ShardedLayers::place(std::vector<std::unique_ptr<Unit>>& units) {
  for (auto& unit : units) start(*unit);
  for (auto& unit : units) {
    if (unit->coming) unit->coming->wait();
    unit->coming.reset();
    for (const Slot& slot : unit->slots) {
      *slot.parameter->tensor =
          unit->full.narrow(0, slot.begin, slot.size).view(slot.parameter->shape).detach().set_requires_grad(true);
    }
  }
}

void ShardedLayers::use(std::int64_t layer) {
  const bool backward = at::GradMode::is_enabled();  // a layer that is computed again
  const at::NoGradGuard no_grad;
  if (layer != current_) {
    settle();
    place(layers_.at(static_cast<std::size_t>(layer)));
    current_ = layer;
  }
  const std::int64_t next = layer + (backward ? -1 : 1);
  if (next < 0 || next >= static_cast<std::int64_t>(layers_.size())) return;
  for (auto& unit : layers_[static_cast<std::size_t>(next)]) start(*unit);
}

void ShardedLayers::drop(Unit& unit) {
  if (unit.coming) unit.coming->wait();
  unit.coming.reset();
  for (const Slot& slot : unit.slots) *slot.parameter->tensor = slot.emptied;
  unit.full.reset();
}

// The layer in use has been computed, and its gradients, if there are any, are all there.
void ShardedLayers::settle() {
  if (current_ < 0) return;
  for (auto& unit : layers_[static_cast<std::size_t>(current_)]) {
    const bool learnt = std::any_of(unit->slots.begin(), unit->slots.end(),
                                    [](const Slot& slot) { return slot.parameter->tensor->grad().defined(); });
    if (learnt) {
      take_gradients(*unit);
    } else {
      drop(*unit);
    }
  }
  current_ = -1;
}

void ShardedLayers::take_gradients(Unit& unit) {
  at::Tensor all =
      at::zeros({unit.part.value.numel() * group_.world()}, unit.part.value.options().requires_grad(false));
  for (const Slot& slot : unit.slots) {
    at::Tensor gradient = std::move(slot.parameter->tensor->mutable_grad());
    if (!gradient.defined()) {
      throw Error(ErrorCode::run_failed, slot.parameter->name +
                                             " got no gradient while others of its layer did; such a model is trained "
                                             "by one process, or without gradient_checkpointing");
    }
    all.narrow(0, slot.begin, slot.size).copy_(gradient.view(-1));
  }
  drop(unit);
  add_in_order(group_, unit.sum, all, contributing_);
}

void ShardedLayers::begin_round(int contributing) {
  contributing_ = contributing;
  made_ = {-1, {}};
}

void ShardedLayers::end_round() {
  const at::NoGradGuard no_grad;
  settle();
  for (auto& units : layers_) {
    for (auto& unit : units) drop(*unit);
  }
}

void ShardedLayers::hand_out() {
  for (auto& units : layers_) {
    for (auto& unit : units) unit->part.value.mutable_grad() = std::move(unit->sum);
  }
}

std::map<std::string, at::Tensor> ShardedLayers::norms() {
  const at::NoGradGuard no_grad;
  std::map<std::string, at::Tensor> out;
  for (const auto& units : layers_) {
    for (const auto& unit : units) {
      const at::Tensor all = gathered(unit->part.value.grad());
      std::vector<at::Tensor> gradients;
      for (const Slot& slot : unit->slots) {
        gradients.push_back(all.narrow(0, slot.begin, slot.size).view(slot.parameter->shape));
      }
      const std::vector<at::Tensor> norms = at::_foreach_norm(gradients, 2, at::kFloat);
      for (std::size_t i = 0; i < norms.size(); ++i) out[unit->slots[i].parameter->name] = norms[i];
    }
  }
  return out;
}

TensorToWrite ShardedLayers::whole(const std::string& parameter, const std::string& name, const at::Tensor& of_part) {
  const auto& [unit, number] = by_name_.at(parameter);
  const Slot& slot = unit->slots[number];
  return {name, of_part.scalar_type(), slot.parameter->shape, [this, layer = unit->layer, slot, of_part] {
            if (made_.first != layer) made_ = {layer, {}};
            at::Tensor& all = made_.second[of_part.unsafeGetTensorImpl()];
            if (!all.defined()) all = gathered(of_part);
            return all.narrow(0, slot.begin, slot.size).view(slot.parameter->shape);
          }};
}

at::Tensor ShardedLayers::part_from(const TrainedTensor& part,
                                    const std::function<at::Tensor(const std::string&)>& whole_of) const {
  const at::NoGradGuard no_grad;
  for (const auto& units : layers_) {
    for (const auto& unit : units) {
      if (!unit->part.value.is_same(part.value)) continue;
      const std::int64_t n = part.value.numel(), begin = n * group_.rank(), end = begin + n;
      at::Tensor out;
      for (const Slot& slot : unit->slots) {
        const at::Tensor whole = whole_of(slot.parameter->name).view(-1);
        if (!out.defined()) out = at::zeros({n}, whole.options());
        const std::int64_t from = std::max(begin, slot.begin), to = std::min(end, slot.begin + slot.size);
        if (from < to) out.narrow(0, from - begin, to - from).copy_(whole.narrow(0, from - slot.begin, to - from));
      }
      return out;
    }
  }
  throw Error(ErrorCode::run_failed, part.name + " is no part of the layers");
}

void ShardedLayers::make_whole() {
  const at::NoGradGuard no_grad;
  end_round();
  for (auto& units : layers_) {
    for (auto& unit : units) {
      const at::Tensor all = gathered(unit->part.value);
      for (Slot& slot : unit->slots) {
        slot.emptied.set_data(all.narrow(0, slot.begin, slot.size).view(slot.parameter->shape).clone());
      }
      unit->part.value.reset();
    }
  }
  by_name_.clear();
  layers_.clear();
  model_.model = computing_;
}

}  // namespace plumb
