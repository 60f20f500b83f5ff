// An exception that crosses between processes.
//
//   catch (...) { out = packed(caught(who)); }           // in the component's process
//
// Thread contract: plain values; caught() belongs into a catch block.
#pragma once

#include <cstdint>
#include <string>

#include "plumb/error.h"

namespace plumb {

struct Thrown {
  enum class What : std::uint8_t {
    error,      // an Error, which the contract of components allows
    foreign,    // anything else: a fault of the component
    framework,  // what the framework threw at it, come back
  };
  What what = What::error;
  std::int32_t code = 1;  // of an error
  std::uint64_t ask = 0;  // that the framework failed
  std::string message;
};

template <class Wire>
void wire_fields(Wire& wire, Thrown& v) {
  wire(v.what, v.code, v.ask, v.message);
}

// What a component sees when something it asked of the framework failed.
class FrameworkFailure : public Error {
 public:
  FrameworkFailure(ErrorCode code, const std::string& message, std::uint64_t ask) : Error(code, message), ask_(ask) {}
  [[nodiscard]] std::uint64_t ask() const noexcept { return ask_; }

 private:
  std::uint64_t ask_;
};

// What is being handled; `who` begins the message of something foreign.
Thrown caught(const std::string& who);

}  // namespace plumb
