// Where components come from: found by the registry, run where the recipe says, called under their names.
//
//   const auto policy = make<SelectionPolicy>(context, settings.policy);                       // in a stage
//   const auto tokenizer = make<Tokenizer>(registry, "byte-bpe", Value::map({{"path", file}}), host);
//
// A component runs in this process, unless its parameters say `isolation: process` (choice.h), and watched by the debug
// host where the environment asks for that. Thread contract: [any]; the plugin is loaded on first use.
#pragma once

#include <memory>
#include <string>

#include "framework/core/catalogue/stage.h"
#include "framework/core/components/made.h"
#include "framework/core/registry/registry.h"

namespace plumb {

// Loads the plugin if needed, makes the component. `params` are as the recipe gives them, with the keys of choice.h. What
// the plugin throws comes out as rethrow_as_plugin_error says, with the component, its plugin and `host`'s stage named;
// bad parameters stay Error(recipe). Error(plugin) when there is no such component. `extra`: ComponentEntry::make.
std::unique_ptr<Component> make_component(const Registry& registry, const std::string& kind, const std::string& name,
                                          const Value& params, Host& host, void* extra = nullptr);

// The name of the stage that `host` is of, or empty.
std::string stage_of(const Host& host);

template <class T>
Made<T> make(const Registry& registry, const std::string& name, const Value& params, Host& host,
             void* extra = nullptr) {
  std::unique_ptr<Component> made = make_component(registry, T::kind, name, params, host, extra);
  return {std::shared_ptr<T>(static_cast<T*>(made.release())), without_revision(T::kind) + " " + name, stage_of(host)};
}

template <class T>
Made<T> make(StageContext& context, const ComponentRef& chosen) {
  return make<T>(context.registry(), chosen.name, chosen.params, context);
}

}  // namespace plumb
