// A generator samples k responses for each prompt: the built-in engine, or a remote server.
//   generator.generate(prompts, {.responses = 4}, [&](std::size_t i, plumb::ResponseGroup&& g) { out[i] = g; });
// Thread contract: generate is [lane]; `done` is called from one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "plumb/component.h"
#include "plumb/host.h"
#include "plumb/params.h"
#include "plumb/records.h"

namespace plumb {
inline namespace v1 {

// How tokens are drawn: temperature, then top-k (ties kept), then top-p, as Hugging Face orders them.
struct Sampling {
  std::int64_t responses = 16;  // k, per prompt
  std::int64_t max_new_tokens = 512;
  double temperature = 1.0;  // 0: greedy
  std::int64_t top_k = 0;    // 0: off
  double top_p = 1.0;
  std::uint64_t seed = 0;  // a token's draw is a function of (seed, prompt id, response, position)
};

class Generator : public Component {
 public:
  static constexpr const char* kind = "generator/1";
  ~Generator() override;

  // [lane] Fills each group's prompt_ids and responses and hands it to `done` as soon as it is complete, in any order.
  // Returns early, with some prompts undone, when the host is cancelled.
  virtual void generate(std::span<const Prompt> prompts, const Sampling& sampling,
                        const std::function<void(std::size_t prompt, ResponseGroup&&)>& done) = 0;
};

}  // namespace v1
}  // namespace plumb
