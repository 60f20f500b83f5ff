// A component that was made, under its name: every call of it says, when it fails, who failed in which stage.
//
//   const Made<Judge> judge = make<Judge>(context, {"gold", params});            // components/make.h
//   const Judgement said = judge.call(&Judge::judge, request);   // Error: "stage `gold`: judge gold: threw …"
//   const auto dpo = make<Optimizer>(context, ref).as<PairwiseOptimizer>();      // the same, by its class
//   const Loss loss = dpo.call(&PairwiseOptimizer::loss, batch);
//
// Where it runs does not show: in this process, in one of its own, or watched by the debug host. What it throws comes
// out as rethrow_as_plugin_error (registry/guarded.h) says; a call costs what a call of the method costs.
//
// Copies share the component, which ends with the last of them: before the host that it was made with.
// Thread contract: as of the component's kind.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "framework/core/registry/guarded.h"

namespace plumb {

template <class T>
class Made {
 public:
  Made() = default;  // none
  Made(std::shared_ptr<T> component, std::string name, std::string stage)
      : component_(std::move(component)), name_(std::move(name)), stage_(std::move(stage)) {}

  [[nodiscard]] explicit operator bool() const noexcept { return component_ != nullptr; }

  // Requires: not empty. Arguments are passed on as std::invoke does, so a default argument is written out.
  template <class Method, class... Args>
  decltype(auto) call(Method method, Args&&... args) const {
    return guarded(name_, stage_,
                   [&]() -> decltype(auto) { return std::invoke(method, *component_, std::forward<Args>(args)...); });
  }

  // The same component as a class that it may or may not be; empty when it is not.
  template <class U>
  [[nodiscard]] Made<U> as() const {
    return {std::dynamic_pointer_cast<U>(component_), name_, stage_};
  }

  // The component itself, for another one that calls it: a judge for an evaluator. What it then throws is named as that
  // one's, unless the caller does better. Null when empty.
  [[nodiscard]] std::shared_ptr<T> bare() const noexcept { return component_; }

  [[nodiscard]] const std::string& name() const noexcept { return name_; }    // "judge gold"
  [[nodiscard]] const std::string& stage() const noexcept { return stage_; }  // empty outside of stages

 private:
  std::shared_ptr<T> component_;
  std::string name_, stage_;
};

}  // namespace plumb
