// From a component to the Watched of its kind.
#include <dlfcn.h>

#include "sdk/debug_host/host.h"

namespace plumb::debug_host {
namespace {

using WatchTensors = Component* (*)(const std::shared_ptr<Watch>&, Component*);

// The library is there when a component of the tensor tier is: its plugin needs it.
WatchTensors find_watch_tensors() {
  void* library = dlopen("libplumb_sdk_tensor.so", RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
  if (library == nullptr) return nullptr;
  return reinterpret_cast<WatchTensors>(dlsym(library, "plumb_debug_host_watch_tensors"));
}

}  // namespace

std::unique_ptr<Component> watch(const Subject& subject, Host& host, const Make& make) {
  auto watch = std::make_shared<Watch>(subject, Violation::Fault::framework);
  auto watched_host = std::make_shared<WatchedHost>(host, watch);
  keep(watched_host);  // a thread that the component leaves behind may still call it
  std::unique_ptr<Component> made = make(*watched_host);
  if (made == nullptr) return made;
  if (auto watched = watch_answers(watch, made)) return watched;
  if (auto watched = watch_texts(watch, made)) return watched;
  const WatchTensors watch_tensors = find_watch_tensors();
  Component* watched = watch_tensors == nullptr ? nullptr : watch_tensors(watch, made.get());
  if (watched == nullptr) return made;
  static_cast<void>(made.release());
  return std::unique_ptr<Component>(watched);
}

}  // namespace plumb::debug_host
