#include "plumb/tensor/layers.h"

#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <mutex>
#include <optional>
#include <utility>

#include "plumb/tensor/linear.h"

namespace plumb {
inline namespace v1 {
namespace {

thread_local LayerRunner* runner_of_thread = nullptr;

// A device's random state as it was, for as long as this lives.
class RandomState {
 public:
  RandomState(const at::Device& device, const at::Tensor& state)
      : generator_(at::globalContext().defaultGenerator(device)), lock_(generator_.mutex()) {
    now_ = generator_.get_state();
    generator_.set_state(state);
    lock_.unlock();
  }
  ~RandomState() {
    lock_.lock();
    generator_.set_state(now_);
  }
  RandomState(const RandomState&) = delete;
  RandomState& operator=(const RandomState&) = delete;

  static at::Tensor of(const at::Device& device) {
    at::Generator generator = at::globalContext().defaultGenerator(device);
    const std::lock_guard lock(generator.mutex());
    return generator.get_state();
  }

 private:
  at::Generator generator_;
  std::unique_lock<std::mutex> lock_;
  at::Tensor now_;
};

struct KeptLayer : torch::CustomClassHolder {
  std::int64_t index = 0;
  LayerFunction layer;
  at::Tensor random;
  bool adapters_off = false, x_learns = false;
};

class Checkpointed : public torch::autograd::Function<Checkpointed> {
 public:
  // `learns` requires a gradient, so that the layer's weights get theirs where x needs none.
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& /*learns*/, const c10::intrusive_ptr<KeptLayer>& kept) {
    context->save_for_backward({x});
    context->saved_data["layer"] = c10::IValue::make_capsule(kept);
    kept->random = RandomState::of(x.device());
    return kept->layer(kept->index, x);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const auto holder = context->saved_data["layer"].toCapsule();
    const auto& kept = static_cast<const KeptLayer&>(*holder);
    const at::Tensor x = context->get_saved_variables()[0].detach().set_requires_grad(kept.x_learns);
    at::Tensor y;
    {
      const at::AutoGradMode on(true);
      const RandomState as_it_was(x.device(), kept.random);
      std::optional<AdaptersOff> off;
      if (kept.adapters_off) off.emplace();
      y = kept.layer(kept.index, x);
    }
    if (y.requires_grad()) torch::autograd::backward({y}, {grads[0]});
    return {x.grad(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

LayerRunner::~LayerRunner() = default;

LayersThrough::LayersThrough(LayerRunner& runner) : before_(runner_of_thread) {
  runner_of_thread = &runner;
}
LayersThrough::~LayersThrough() {
  runner_of_thread = before_;
}
LayerRunner* LayersThrough::current() {
  return runner_of_thread;
}

at::Tensor run_layers(std::int64_t count, at::Tensor x, const LayerFunction& layer) {
  LayerRunner* runner = LayersThrough::current();
  for (std::int64_t i = 0; i < count; ++i) x = runner == nullptr ? layer(i, x) : runner->run(i, x, layer);
  return x;
}

at::Tensor checkpointed(std::int64_t index, const at::Tensor& x, LayerFunction layer) {
  if (!at::GradMode::is_enabled()) return layer(index, x);
  auto kept = c10::make_intrusive<KeptLayer>();
  kept->index = index;
  kept->layer = std::move(layer);
  kept->adapters_off = AdaptersOff::active();
  kept->x_learns = x.requires_grad();
  const at::Tensor learns = at::empty({0}).set_requires_grad(true);
  return Checkpointed::apply(x, learns, kept);
}

}  // namespace v1
}  // namespace plumb
