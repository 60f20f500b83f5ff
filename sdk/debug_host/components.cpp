// From a component to the Watched of its kind.
#include <dlfcn.h>

#include "plumb/error.h"
#include "sdk/debug_host/door.h"
#include "sdk/debug_host/host.h"

namespace plumb::debug_host {
namespace {

using WatchTensors = Component* (*)(const std::shared_ptr<Watch>&, Component*);

// Nothing of LibTorch is loaded for the sake of components without tensors: those with some have brought the SDK's
// library of their tier with them.
WatchTensors find_watch_tensors() {
  if (dlopen("libplumb_sdk_tensor.so", RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD) == nullptr) return nullptr;
  void* library = dlopen("libplumb_debug_host_tensor.so", RTLD_NOW | RTLD_LOCAL);
  void* symbol = library == nullptr ? nullptr : dlsym(library, "plumb_debug_host_watch_tensors");
  if (symbol == nullptr) {
    throw Error(ErrorCode::plugin, std::string("the debug host of tensors cannot be opened: ") + dlerror() +
                                       ". Build or install libplumb_debug_host_tensor.so again");
  }
  return reinterpret_cast<WatchTensors>(symbol);
}

std::unique_ptr<Component> watched(const Subject& subject, Host& host, const Make& make) {
  auto watch = std::make_shared<Watch>(subject, Violation::Fault::framework);
  auto watched_host = std::make_shared<WatchedHost>(host, watch);
  keep(watched_host);  // a thread that the component leaves behind may still call it
  std::unique_ptr<Component> made = make(*watched_host);
  if (made == nullptr) return made;
  if (auto answers = watch_answers(watch, made)) return answers;
  if (auto texts = watch_texts(watch, made)) return texts;
  const WatchTensors watch_tensors = find_watch_tensors();
  Component* tensors = watch_tensors == nullptr ? nullptr : watch_tensors(watch, made.get());
  if (tensors == nullptr) return made;
  static_cast<void>(made.release());
  return std::unique_ptr<Component>(tensors);
}

}  // namespace

}  // namespace plumb::debug_host

extern "C" const plumb::debug_host::Door* plumb_debug_host_door() {
  static const plumb::debug_host::Door door{plumb::debug_host::watched, plumb::debug_host::exchange_handler};
  return &door;
}
