// Best-vs-random (paper §4): the response with the highest reward against one drawn from the remaining k − 1.
#include <plumb/selection_policy.h>
#include <algorithm>

#include <plumb/plugin.h>

namespace {

class BestVsRandom final : public plumb::SelectionPolicy {
 public:
  struct Settings {};
  static plumb::Params<Settings> params() {
    return plumb::Params<Settings>{"the highest reward against a random other response, one pair a prompt",
                                   "RS-DPO, §4"};
  }
  BestVsRandom(const Settings&, plumb::Host&) {}

  [[nodiscard]] plumb::Selection select(const plumb::ResponseGroup& group, plumb::Random random) const override {
    plumb::Selection selection;
    const int count = static_cast<int>(group.responses.size());
    if (count < 2) return selection;
    const auto first = group.responses.begin();
    const auto best = std::max_element(first, group.responses.end(),
                                       [](const auto& a, const auto& b) { return *a.reward < *b.reward; });
    const int chosen = static_cast<int>(best - first);
    const int drawn = static_cast<int>(random.below(static_cast<std::uint64_t>(count - 1)));
    const int rejected = drawn < chosen ? drawn : drawn + 1;
    const double gap = *best->reward - *group.responses[rejected].reward;
    const bool kept = gap > 0;
    selection.audit.push_back({{chosen, rejected}, gap, kept, kept ? "kept" : "tie"});
    if (kept) selection.pairs.push_back({chosen, rejected});
    return selection;
  }
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.plumbline.best-vs-random", "1.0.0", "Apache-2.0",
             "the best response against a random other one" PLUMB_STATUS("stable")) {
  registrar.add<BestVsRandom>("best-vs-random").yields({"pairs"});
}
