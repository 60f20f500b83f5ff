#include "framework/core/door/devices.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "framework/core/door/engine.h"
#include "plumb/placement.h"

namespace plumb {

// The driver's functions return 0 for success (CUresult).
std::string missing_in_driver(int index) {
  void* driver = ::dlopen("libcuda.so.1", RTLD_NOW);
  if (driver == nullptr) {
    const char* why = ::dlerror();
    return fmt::format("no NVIDIA driver ({})", why == nullptr ? "no reason given" : why);
  }
  const auto init = reinterpret_cast<int (*)(unsigned)>(::dlsym(driver, "cuInit"));
  const auto count_devices = reinterpret_cast<int (*)(int*)>(::dlsym(driver, "cuDeviceGetCount"));
  if (init == nullptr || count_devices == nullptr) return "a driver libcuda.so.1 without cuInit and cuDeviceGetCount";
  if (const int error = init(0); error != 0) {
    return fmt::format("no GPU that the driver can use (cuInit gives error {}{})", error,
                       error == 100 ? ", no device" : "");
  }
  int count = 0;
  if (const int error = count_devices(&count); error != 0 || count == 0) {
    return fmt::format("no GPU (the driver counts {})", count);
  }
  if (index < count) return {};
  return fmt::format("no GPU {} (there {}, counted from 0)", index, count == 1 ? "is 1" : fmt::format("are {}", count));
}

std::string missing_for_device(const std::string& device) {
  const auto name = parse_device(device);
  if (!name || !name->cuda) return {};
  std::string why = missing_in_driver(name->index);
  if (!why.empty()) return why;  // without LibTorch, which takes long to open
  reinterpret_cast<void (*)(int, std::string&)>(Engine::open().symbol("plumb_engine_missing_for_cuda"))(name->index,
                                                                                                        why);
  return why;
}

}  // namespace plumb
