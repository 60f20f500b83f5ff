#include "framework/engine/modeling/cuda.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <mutex>
#include <vector>

#include "framework/core/door/devices.h"
#include "plumb/error.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

std::string dl_reason() {
  const char* why = ::dlerror();
  return why == nullptr ? "no reason given" : why;
}

fs::path libtorch_folder() {
  Dl_info info{};
  const auto* somewhere = reinterpret_cast<const void*>(&at::get_num_threads);
  return ::dladdr(somewhere, &info) != 0 ? fs::path(info.dli_fname).parent_path() : fs::path();
}

// Loaded once; what dlopen said when it could not be.
const std::string& missing_in_libtorch(const fs::path& library) {
  static std::once_flag once;
  static std::string why;
  std::call_once(once, [&] {
    if (::dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
      why = fmt::format("{} cannot be loaded ({})", library.string(), dl_reason());
    }
  });
  return why;
}

}  // namespace

std::string missing_for_cuda(int index) {
  std::vector<std::string> missing;
  if (std::string why = missing_in_driver(index); !why.empty()) missing.push_back(std::move(why));
  const fs::path library = libtorch_folder() / "libtorch_cuda.so";
  std::error_code ignored;
  if (!fs::exists(library, ignored)) {
    missing.push_back(
        fmt::format("no libtorch_cuda.so in {} (PLUMB_LIBTORCH names a LibTorch with CUDA when the "
                    "framework is built)",
                    library.parent_path().string()));
  } else if (missing.empty() && !missing_in_libtorch(library).empty()) {
    missing.push_back(missing_in_libtorch(library));
  }
  return fmt::format("{}", fmt::join(missing, "; "));
}

void require_cuda(int index) {
  const std::string why = missing_for_cuda(index);
  if (why.empty()) return;
  throw Error(
      ErrorCode::recipe,
      fmt::format("device cuda:{} cannot be used here: {}; use device cpu, or a machine with a GPU", index, why));
}

}  // namespace plumb

extern "C" void plumb_engine_missing_for_cuda(int index, std::string& why) {
  why += plumb::missing_for_cuda(index);
}
