#include <dlfcn.h>

#include "sdk/check/context.h"

namespace plumb::check {
namespace {

bool wanted = false;
const TensorKit* opened_kit = nullptr;

}  // namespace

void want_tensor_kit() {
  wanted = true;
}

// The library lies beside this one, whose search path finds it.
const TensorKit* open_tensor_kit() {
  if (!wanted || opened_kit != nullptr) return opened_kit;
  wanted = false;
  void* library = dlopen("libplumb_check_tensor.so", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return nullptr;
  void* symbol = dlsym(library, "plumb_check_tensor_kit");
  if (symbol == nullptr) return nullptr;
  opened_kit = reinterpret_cast<const TensorKit* (*)()>(symbol)();
  opened_kit->quieten();
  return opened_kit;
}

}  // namespace plumb::check
