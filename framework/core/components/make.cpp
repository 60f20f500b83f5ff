#include "framework/core/components/make.h"

#include "framework/core/components/choice.h"
#include "framework/core/isolation/isolated.h"
#include "sdk/debug_host/debug_host.h"

namespace plumb {

std::string stage_of(const Host& host) {
  const auto* stage = dynamic_cast<const StageContext*>(&host);
  return stage == nullptr ? std::string() : stage->name();
}

std::unique_ptr<Component> make_component(const Registry& registry, const std::string& kind, const std::string& name,
                                          const Value& params, Host& host, void* extra) {
  const KnownComponent& known = registry.require(kind, name);
  const IsolationChoice choice = isolation_choice(known.info, params);
  const Value own = without_isolation(known.info, params);
  const ComponentEntry* here = choice.process ? nullptr : &registry.load(known);
  const auto make = [&](Host& to) {
    return here == nullptr ? make_isolated(known, own, choice.call_timeout, to) : here->make(own, to, extra);
  };
  const std::string stage = stage_of(host);
  return guarded(known.title(), stage, [&] {
    if (!debug_host::wanted()) return make(host);
    return debug_host::watch({known.info, known.title(), stage}, host, make);
  });
}

}  // namespace plumb
