// Optimizers: losses on batches of every kind, checked against finite differences and against their parts.
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>

#include <cmath>

#include "sdk/check/context.h"
#include "sdk/check/tensor/batches.h"
#include "sdk/check/tensor/tensors.h"

namespace plumb::check {
namespace {

// A fresh instance for each loss: some keep running means.
Loss loss_of(Context& c, const Inputs& inputs) {
  Made made = c.make();
  return loss_on(made.as<Optimizer>(), c, inputs);
}

Inputs ordinary(Context& c, at::ScalarType type = at::kDouble) {
  Made made = c.make();
  return draw_inputs(made.as<Optimizer>(), c, 6, type);
}

// Loss, metrics and gradients, exactly.
std::string answer_to(Context& c, Optimizer& optimizer, std::uint64_t batch = 0) {
  const Inputs inputs = draw_inputs(optimizer, c, 6, at::kDouble, batch);
  const Loss loss = loss_on(optimizer, c, inputs);
  std::string out = exact(loss.value.item<double>());
  for (const auto& [name, value] : loss.metrics) out += " " + name + "=" + exact(value);
  if (loss.value.requires_grad()) {
    loss.value.backward();
    for (const at::Tensor& leaf : inputs.leaves) out += leaf.grad().defined() ? bytes_of(leaf.grad()) : "-";
  }
  return out;
}

std::string use(Context& c, Component& component) {
  return answer_to(c, static_cast<Optimizer&>(component));
}

void loss(Context& c) {
  const Loss found = loss_of(c, ordinary(c));
  require(found.value.defined() && found.value.numel() == 1, "the loss is no single number");
  require(found.value.requires_grad(), "the loss has no gradient: it does not depend on the policy, or was detached");
}

void finite(Context& c) {
  const Loss found = loss_of(c, ordinary(c, at::kFloat));
  require(std::isfinite(found.value.item<double>()), "the loss is " + exact(found.value.item<double>()));
  for (const auto& [name, value] : found.metrics)
    require(std::isfinite(value), "metric " + name + " is " + exact(value));
}

void gradient(Context& c) {
  Inputs inputs = ordinary(c);
  const Loss found = loss_of(c, inputs);
  if (!found.value.requires_grad()) throw Skip{"because of optimizer.loss"};
  found.value.backward();
  for (std::size_t i = 0; i < inputs.leaves.size(); ++i) {
    const at::Tensor leaf = inputs.leaves[i];
    const at::Tensor given = leaf.grad().defined() ? leaf.grad() : leaf.detach() * 0;
    for (std::int64_t k = 0; k < std::min<std::int64_t>(leaf.numel(), 12); ++k) {
      const auto at_distance = [&](double distance) {
        Inputs moved = inputs;
        moved.leaves[i] = leaf.detach().clone();
        moved.leaves[i].view(-1).select(0, k).add_(distance);
        return loss_of(c, moved).value.item<double>();
      };
      constexpr double step = 1e-5;
      const double measured = (at_distance(step) - at_distance(-step)) / (2 * step);
      const double own = given.reshape(-1)[k].item<double>();
      require(std::abs(measured - own) <= 1e-6 + 1e-3 * std::abs(measured),
              inputs.names[i] + "[" + std::to_string(k) + "]: the gradient is " + exact(own) +
                  ", finite differences give " + exact(measured));
    }
  }
}

// Gradient accumulation relies on it. Throws Failure.
void require_sum(Context& c, const Inputs& whole) {
  const std::vector<Inputs> parts = whole.parts();
  if (parts.empty()) throw Skip{"the loss of such a batch is no sum over its parts"};
  double sum = 0;
  for (const Inputs& part : parts) sum += part.share * loss_of(c, part).value.item<double>();
  const double together = loss_of(c, whole).value.item<double>();
  require(
      std::abs(sum - together) <= 1e-6 * (1 + std::abs(together)),
      "the loss of a batch is " + exact(together) + ", of its parts " + exact(sum) + "; divide by what the batch says");
}

void batches(Context& c) {
  require_sum(c, ordinary(c));
}

void step_zero(Context& c) {
  Inputs inputs = ordinary(c);
  if (!inputs.form->identity || !c.needs("reference")) throw Skip{"no pairs with a reference"};
  inputs.reference_is_policy = true;
  const Loss first = loss_of(c, inputs);
  for (at::Tensor& leaf : inputs.leaves) leaf = leaf.detach() * 1.7 - 0.3;
  const Loss second = loss_of(c, inputs);
  const double a = first.value.item<double>(), b = second.value.item<double>();
  require(std::abs(a - b) <= 1e-6 * (1 + std::abs(a)), "with the policy still equal to the reference the loss is " +
                                                           exact(a) + " or " + exact(b) +
                                                           "; it may not depend on the texts");
  const auto margin = first.metrics.find("rewards/margins");
  require(margin == first.metrics.end() || std::abs(margin->second) < 1e-6,
          "with the policy still equal to the reference rewards/margins is " +
              exact(margin == first.metrics.end() ? 0 : margin->second));
}

void extreme(Context& c) {
  for (const double size : {300.0, 3000.0}) {
    for (const double sign : {1.0, -1.0}) {
      Inputs inputs = ordinary(c, at::kFloat);
      inputs.stretch(size, sign);
      const Loss found = loss_of(c, inputs);
      const std::string what = "a gap of " + exact(sign * size) + ": ";
      require(std::isfinite(found.value.item<double>()), what + "the loss is " + exact(found.value.item<double>()));
      if (!found.value.requires_grad()) continue;
      found.value.backward();
      for (std::size_t i = 0; i < inputs.leaves.size(); ++i) {
        const at::Tensor& slope = inputs.leaves[i].grad();
        require(!slope.defined() || slope.isfinite().all().item<bool>(),
                what + "the gradient of " + inputs.names[i] + " is not finite");
      }
    }
  }
}

void untouched(Context& c) {
  Made made = c.make();
  std::string written;
  loss_on(made.as<Optimizer>(), c, ordinary(c), &written);
  require(written.empty(), "it writes into " + written + " of the batch");
}

// A checkpoint holds the numbers of state() as JSON, and nothing of an optimizer that has none.
void hand_on(Optimizer& from, Optimizer& to) {
  const auto* online = dynamic_cast<const OnlineOptimizer*>(&from);
  if (online == nullptr) return;
  Value saved = Value::map();
  for (const auto& [name, value] : online->state()) saved.set(name, value);
  std::map<std::string, double> loaded;
  const Value read = parse_json(to_json(saved));
  for (const auto& [name, value] : read.as_map()) loaded[name] = value.as_double();
  dynamic_cast<OnlineOptimizer&>(to).restore(loaded);
}

void resume(Context& c) {
  Made straight = c.make(), interrupted = c.make(), resumed = c.make();
  answer_to(c, straight.as<Optimizer>(), 1);
  answer_to(c, interrupted.as<Optimizer>(), 1);
  hand_on(interrupted.as<Optimizer>(), resumed.as<Optimizer>());
  for (const std::uint64_t batch : {2, 3}) {
    const std::string went_on = answer_to(c, straight.as<Optimizer>(), batch);
    require(answer_to(c, resumed.as<Optimizer>(), batch) == went_on,
            "after a checkpoint batch " + std::to_string(batch) +
                " has another loss, metric or gradient than without one; " +
                (dynamic_cast<const OnlineOptimizer*>(&straight.as<Optimizer>()) != nullptr
                     ? "what is kept between batches belongs into state() and restore(), in full precision"
                     : "only an OnlineOptimizer has state() and restore(), so that one of this class may keep nothing "
                       "between batches"));
  }
}

// Losses and gradients of both halves are added by their shares.
void two_halves(Context& c) {
  const Inputs whole = ordinary(c);
  try {
    require_sum(c, whole);
  } catch (const Failure&) {
    throw Skip{"because of optimizer.batches"};
  }
  const std::int64_t half = whole.rows / 2;
  const Loss alone = loss_of(c, whole);
  if (!alone.value.requires_grad()) throw Skip{"because of optimizer.loss"};
  alone.value.backward();
  double sum = 0;
  std::vector<at::Tensor> shared;
  for (const std::int64_t first : {std::int64_t{0}, half}) {
    Inputs part = whole.part(first, first == 0 ? half : whole.rows - half);
    for (at::Tensor& leaf : part.leaves) leaf = leaf.detach().clone().set_requires_grad(true);
    const Loss loss = loss_of(c, part);
    sum += part.share * loss.value.item<double>();
    loss.value.backward();
    for (std::size_t i = 0; i < part.leaves.size(); ++i) {
      const at::Tensor own =
          part.share * (part.leaves[i].grad().defined() ? part.leaves[i].grad() : part.leaves[i] * 0);
      if (first == 0) {
        shared.push_back(own.detach());
      } else {  // of rows that are prepared together each half has the whole tensor and a gradient in its own
        shared[i] = whole.form->together ? shared[i] + own.detach() : at::cat({shared[i], own.detach()});
      }
    }
  }
  const double together = alone.value.item<double>();
  require(std::abs(sum - together) <= 1e-9 * (1 + std::abs(together)),
          "the loss of the batch is " + exact(together) + ", of its halves together " + exact(sum));
  for (std::size_t i = 0; i < shared.size(); ++i) {
    const at::Tensor& leaf = whole.leaves[i];
    const double apart = largest_difference(shared[i], leaf.grad().defined() ? leaf.grad() : leaf.detach() * 0);
    require(apart <= 1e-9, "the gradients of " + whole.names[i] +
                               " of the batch and of its halves together differ by " + exact(apart));
  }
}

}  // namespace

Kind optimizer_kind() {
  return {
      Optimizer::kind,
      "optimizer",
      use,
      nullptr,
      {
          {"optimizer.loss", "the loss is one number with a gradient", loss},
          {"optimizer.finite", "loss and metrics are finite, with rewards in the data and without", finite, true},
          {"optimizer.gradient", "gradients agree with finite differences", gradient},
          {"optimizer.batches", "a batch's loss is the mean (or sum) of its parts", batches},
          {"optimizer.step-zero", "while the policy is the reference, the loss does not depend on the texts",
           step_zero},
          {"optimizer.extreme", "large gaps give no NaN and no infinity", extreme},
          {"optimizer.untouched", "does not write into the batch", untouched},
          {"optimizer.resume-equals-straight", "goes on after a checkpoint as if there had been none", resume, true},
          {"optimizer.two-halves-agree", "two halves of the batch give its loss and gradient", two_halves},
      }};
}

}  // namespace plumb::check
