// A reward model gives each response of a prompt a number. Raw head outputs: whoever normalises says so.
//   const double first = reward_model.score(groups).at(0).at(0);   // of the first prompt's first response
// Thread contract: score is [lane].
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plumb/component.h"
#include "plumb/host.h"
#include "plumb/params.h"
#include "plumb/records.h"

namespace plumb {
inline namespace v1 {

class RewardModel : public Component {
 public:
  static constexpr const char* kind = "reward-model/1";
  ~RewardModel() override;

  // [lane] Rewards of every response of every group, in order. Several prompts a call, so that work can be batched.
  [[nodiscard]] virtual std::vector<std::vector<double>> score(std::span<const ResponseGroup> groups) = 0;
};

// A RewardModel that reads so many tokens and no more may implement this, too. The stage then looks at all answers
// before the first is scored, so that what is too long is known, and counted, at once.
class BoundedReward {
 public:
  enum class Overlong {
    error,          // an answer that does not fit ends the stage
    drop,           // it is left out
    truncate_left,  // `score` reads the end of prompt and answer
  };
  virtual ~BoundedReward();
  [[nodiscard]] virtual Overlong overlong() const = 0;
  // [lane] [groups][responses] tokens by which a prompt with its answer is longer than the model reads; 0: it fits.
  [[nodiscard]] virtual std::vector<std::vector<std::int64_t>> excess(std::span<const ResponseGroup> groups) = 0;
};

}  // namespace v1
}  // namespace plumb
