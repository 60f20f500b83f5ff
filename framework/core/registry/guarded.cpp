#include "framework/core/registry/guarded.h"

#include <cxxabi.h>

#include <cstdlib>
#include <new>
#include <string_view>
#include <typeinfo>

#include "framework/cancelled.h"
#include "framework/core/ranks/rank_group.h"
#include "plumb/error.h"

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

// A component that another one asked for has named the stage already.
std::string_view without_stage(std::string_view message, std::string_view in_stage) {
  if (message.starts_with(in_stage)) message.remove_prefix(in_stage.size());
  return message;
}

}  // namespace

void rethrow_as_plugin_error(const std::string& component, const std::string& stage) {
  const std::string in_stage = stage.empty() ? "" : "stage `" + stage + "`: ";
  const std::string where = in_stage + component + ": ";
  try {
    throw;
  } catch (const Cancelled&) {
    throw;
  } catch (const RankMissing&) {  // met while a component was at work, and none of its doing
    throw;
  } catch (const abi::__forced_unwind&) {  // pthread_cancel: must go on
    throw;
  } catch (const Error& error) {
    throw Error(error.code(), where + std::string(without_stage(error.what(), in_stage)));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::run_failed, where + "out of memory");
  } catch (const std::exception& error) {
    throw Error(ErrorCode::plugin, where + "threw " + type_name(error) + ": " + without_frames(error.what()));
  } catch (...) {
    throw Error(ErrorCode::plugin, where + "threw something that is no std::exception");
  }
}

}  // namespace plumb
