// A generator that has another program's engine draw: a server that the user runs. Its answers are tokens of the policy
// like any others, but the same call need not give them again, and the server may go away in the middle. So the stage
// keeps each prompt's answers on the disk as they come, asks for what is missing when the run goes on, and writes down
// who drew.
//
//   const auto* served = dynamic_cast<const plumb::ServedGenerator*>(&generator);
//   if (served != nullptr) host.log(plumb::LogLevel::info, "drawn by " + served->engine());
//
// It registers that it needs a "server". Thread contract: as Generator's; engine is [any].
#pragma once

#include <string>

#include "plumb/generator.h"

namespace plumb {
inline namespace v1 {

class ServedGenerator : public Generator {
 public:
  ~ServedGenerator() override;
  // [any] The engine and its version as the server says, such as "llama.cpp b4000"; empty before a prompt was answered.
  [[nodiscard]] virtual std::string engine() const = 0;
};

}  // namespace v1
}  // namespace plumb
