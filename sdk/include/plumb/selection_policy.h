// A selection policy turns one prompt's scored responses into preference pairs or demonstrations.
//
//   plumb::Selection select(const plumb::ResponseGroup& group, plumb::Random) const override {
//     plumb::Selection chosen;
//     if (group.responses[0].reward > group.responses[1].reward) chosen.pairs.push_back({.chosen = 0, .rejected = 1});
//     return chosen;
//   }
//
// Thread contract: select is [any]; it must not change the policy.
#pragma once

#include <string>
#include <vector>

#include "plumb/component.h"
#include "plumb/host.h"
#include "plumb/params.h"
#include "plumb/random.h"
#include "plumb/records.h"

namespace plumb {
inline namespace v1 {

struct PairChoice {
  int chosen;    // index into group.responses, or annotated
  int rejected;  // likewise
  // Stands for group.annotation's own answers: {annotated, annotated} keeps the dataset's preference.
  static constexpr int annotated = -1;
  bool operator==(const PairChoice&) const = default;
};

// A pair that was looked at, and why it was kept or not: the selection audit.
struct PairVerdict {
  PairChoice pair;
  double gap = 0;  // reward of chosen minus reward of rejected
  bool kept = false;
  std::string reason;  // one of a few fixed words per policy, e.g. "kept", "gap", "tie", "duplicate"
};

struct Selection {
  std::vector<PairChoice> pairs;
  std::vector<int> demonstrations;  // indices of responses to imitate
  std::vector<PairVerdict> audit;   // optional; the stage counts reasons
};

class SelectionPolicy : public Component {
 public:
  static constexpr const char* kind = "selection-policy/1";
  ~SelectionPolicy() override;

  // [any] `group.responses` all carry finite rewards unless the policy was registered with `.needs({"annotation"})`.
  // `random` is keyed by the run's seed and the prompt: its draws do not depend on the order of prompts.
  [[nodiscard]] virtual Selection select(const ResponseGroup& group, Random random) const = 0;

  // [any] The reward gap above which this policy keeps a pair, when it has one; drawn into reports.
  [[nodiscard]] virtual std::optional<double> threshold() const;
};

}  // namespace v1
}  // namespace plumb
