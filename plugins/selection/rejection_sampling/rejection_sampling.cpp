// Rejection sampling (paper §4): the response with the highest reward becomes a demonstration for one more SFT step.
#include <plumb/selection_policy.h>
#include <algorithm>

#include <plumb/plugin.h>

namespace {

class RejectionSampling final : public plumb::SelectionPolicy {
 public:
  struct Settings {};
  static plumb::Params<Settings> params() {
    return plumb::Params<Settings>{"the response with the highest reward, to be imitated", "RS-DPO, §4"};
  }
  RejectionSampling(const Settings&, plumb::Host&) {}

  [[nodiscard]] plumb::Selection select(const plumb::ResponseGroup& group, plumb::Random) const override {
    plumb::Selection selection;
    if (group.responses.empty()) return selection;
    const auto best = std::max_element(group.responses.begin(), group.responses.end(),
                                       [](const auto& a, const auto& b) { return *a.reward < *b.reward; });
    selection.demonstrations.push_back(static_cast<int>(best - group.responses.begin()));
    return selection;
  }
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.plumbline.rejection-sampling", "1.0.0", "Apache-2.0",
             "the best response, to be imitated" PLUMB_STATUS("stable")) {
  registrar.add<RejectionSampling>("rejection-sampling").yields({"demonstrations"});
}
