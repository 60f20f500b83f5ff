// The part of debug_host.h that is always there.
#include "sdk/debug_host/door.h"

#include <dlfcn.h>

#include <cstdlib>

#include "plumb/error.h"

namespace plumb::debug_host {
namespace {

// The library lies beside this one, whose search path finds it. It is never closed: watched objects stay.
const Door& door() {
  static const Door* const opened = [] {
    void* library = dlopen("libplumb_debug_host.so", RTLD_NOW | RTLD_LOCAL);
    void* symbol = library == nullptr ? nullptr : dlsym(library, "plumb_debug_host_door");
    if (symbol == nullptr) {
      throw Error(ErrorCode::plugin, std::string("the debug host cannot be opened: ") + dlerror() +
                                         ". Build or install libplumb_debug_host.so again, beside libplumb_sdk.so, or "
                                         "run without PLUMB_DEBUG_HOST");
    }
    return reinterpret_cast<const Door* (*)()>(symbol)();
  }();
  return *opened;
}

}  // namespace

bool wanted() {
  const char* value = std::getenv("PLUMB_DEBUG_HOST");
  return value != nullptr && *value != '\0' && std::string(value) != "0";
}

std::string Violation::text() const {
  return "debug host: " + (stage.empty() ? "" : "stage `" + stage + "`: ") + title + ": " + method + ": wanted " +
         wanted + "; found " + found + ". " +
         (fault == Fault::plugin ? "The plugin is at fault" : "The framework is at fault, a broken invariant");
}

Handler set_handler(Handler handler) {
  return door().set_handler(std::move(handler));
}

std::unique_ptr<Component> watch(const Subject& subject, Host& host, const Make& make) {
  return door().watch(subject, host, make);
}

}  // namespace plumb::debug_host
