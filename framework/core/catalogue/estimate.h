// What a stage kind foretells of a stage, and what it sees for that.
//
//   kind.estimate = [](const EstimateFacts& facts, StageEstimate& out) {
//     if (const auto rows = facts.rows("prompts")) out.disk_bytes = 1024 * static_cast<std::uint64_t>(*rows);
//   };
//
// Thread contract: [any].
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "plumb/value.h"

namespace plumb {

struct StageEstimate {
  struct Shape {
    std::uint64_t hidden, layers, heads, kv_width;
  };
  std::optional<Shape> shape;                 // of the stage's model
  std::optional<std::uint64_t> parameters;    // of the stage's model
  std::uint64_t head = 0;                     // of these, the map to logits
  std::optional<std::uint64_t> scored_by;     // parameters of the reward model that an online optimizer asks
  std::optional<std::uint64_t> disk_bytes;    // of its artifact
  std::optional<std::uint64_t> memory_bytes;  // at its peak, where the stage computes
  // Of these, what is there beside activations: an update, which comes after them, needs more.
  std::optional<std::uint64_t> resting_bytes;
  bool gpu = false;                   // memory is a GPU's
  std::uint64_t width = 4;            // bytes of an activation
  std::uint64_t answers_at_once = 0;  // of a stage that samples
  double cache_bytes = 0;             // keys and values of one full answer
  std::optional<double> seconds;      // that the most similar artifact took
};

class EstimateFacts {
 public:
  virtual ~EstimateFacts() = default;
  [[nodiscard]] virtual const Value& params() const = 0;  // complete
  // Of the artifacts that an input names, as far as the recipe tells.
  [[nodiscard]] virtual std::optional<std::int64_t> rows(const std::string& input) const = 0;
};

}  // namespace plumb
