#include <cxxabi.h>

#include <cstdlib>
#include <new>
#include <typeinfo>

#include "framework/core/catalogue/stage.h"
#include "framework/core/registry/registry.h"

namespace plumb {
namespace {

std::string type_name(const std::exception& error) {
  int status = 0;
  char* name = abi::__cxa_demangle(typeid(error).name(), nullptr, nullptr, &status);
  std::string out = status == 0 ? name : typeid(error).name();
  std::free(name);
  return out;
}

// LibTorch's messages end with pages of native frames.
std::string without_frames(std::string message) {
  const std::size_t frames = message.find("\nException raised from ");
  return frames == std::string::npos ? message : message.substr(0, frames);
}

}  // namespace

void rethrow_as_plugin_error(const std::string& component, const std::string& stage) {
  const std::string where = (stage.empty() ? "" : "stage `" + stage + "`: ") + component + ": ";
  try {
    throw;
  } catch (const Cancelled&) {
    throw;
  } catch (const abi::__forced_unwind&) {  // pthread_cancel: must go on
    throw;
  } catch (const Error& error) {
    throw Error(error.code(), where + error.what());
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::run_failed, where + "out of memory");
  } catch (const std::exception& error) {
    throw Error(ErrorCode::plugin, where + "threw " + type_name(error) + ": " + without_frames(error.what()));
  } catch (...) {
    throw Error(ErrorCode::plugin, where + "threw something that is no std::exception");
  }
}

}  // namespace plumb
