// Best-vs-worst (paper §4): the response with the highest reward against the one with the lowest, one pair a prompt.
#include <plumb/selection_policy.h>
#include <algorithm>

#include <plumb/plugin.h>

namespace {

class BestVsWorst final : public plumb::SelectionPolicy {
 public:
  struct Settings {};
  static plumb::Params<Settings> params() {
    return plumb::Params<Settings>{"the highest reward against the lowest, one pair a prompt", "RS-DPO, §4"};
  }
  BestVsWorst(const Settings&, plumb::Host&) {}

  [[nodiscard]] plumb::Selection select(const plumb::ResponseGroup& group, plumb::Random) const override {
    plumb::Selection selection;
    if (group.responses.size() < 2) return selection;
    const auto by_reward = [](const plumb::Response& a, const plumb::Response& b) { return *a.reward < *b.reward; };
    const auto first = group.responses.begin();
    const auto best = std::max_element(first, group.responses.end(), by_reward);
    const auto worst = std::min_element(first, group.responses.end(), by_reward);
    const plumb::PairChoice pair{static_cast<int>(best - first), static_cast<int>(worst - first)};
    const double gap = *best->reward - *worst->reward;
    const bool kept = gap > 0;  // all rewards equal: there is no better answer to prefer
    selection.audit.push_back({pair, gap, kept, kept ? "kept" : "tie"});
    if (kept) selection.pairs.push_back(pair);
    return selection;
  }
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.plumbline.best-vs-worst", "1.0.0", "Apache-2.0",
             "the best response against the worst" PLUMB_STATUS("stable")) {
  registrar.add<BestVsWorst>("best-vs-worst").yields({"pairs"});
}
