#include "framework/core/isolation/thrown.h"

#include "framework/cancelled.h"
#include "framework/core/registry/guarded.h"

namespace plumb {

Thrown caught(const std::string& who) {
  try {
    throw;
  } catch (const FrameworkFailure& failure) {
    return {Thrown::What::framework, static_cast<std::int32_t>(failure.code()), failure.ask(), failure.what()};
  } catch (const Error& error) {
    return {Thrown::What::error, static_cast<std::int32_t>(error.code()), 0, error.what()};
  } catch (const Cancelled&) {
    return {Thrown::What::error, static_cast<std::int32_t>(ErrorCode::preempted), 0, "stopped"};
  } catch (...) {
    try {
      rethrow_as_plugin_error(who, "");
    } catch (const Error& error) {
      return {Thrown::What::foreign, static_cast<std::int32_t>(error.code()), 0, error.what()};
    }
  }
}

}  // namespace plumb
