// Judges, evaluators and selection policies in processes of their own.
//
//   auto judge = make_isolated(known, params, 60, host);     // a Judge like any other
//
// Each call that runs at the same time as another has a process of its own, so that a crash, a hang, an exit or an
// exception that is no plumb::Error costs this one call; the next one gets a new process. A failed call of a judge is a
// judgement with `failure`; of an evaluator or a policy an Error, because nothing can stand in for its result. A
// component that fails many calls in a row is given up with one Error. Thread contract: as of the component's kind.
#pragma once

#include <memory>

#include "framework/core/registry/registry.h"

namespace plumb {

// Starts the first process and makes the component there. Throws what its constructor throws, Error(plugin) when that
// crashes or the process cannot be started. `params` are the component's own; `call_timeout` is how many seconds without
// a sign of life a call may take; `host` outlives what is returned.
std::unique_ptr<Component> make_isolated(const KnownComponent& component, const Value& params, double call_timeout,
                                         Host& host);

}  // namespace plumb
