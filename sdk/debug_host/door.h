// How libplumb_sdk reaches the debug host, which is a library of its own and opened when somebody asks for it.
//
// Thread contract: the table never changes.
#pragma once

#include <memory>

#include "sdk/debug_host/debug_host.h"

namespace plumb::debug_host {

struct Door {
  std::unique_ptr<Component> (*watch)(const Subject&, Host&, const Make&);
  Handler (*set_handler)(Handler);
};

}  // namespace plumb::debug_host

extern "C" const plumb::debug_host::Door* plumb_debug_host_door();
