// RS-DPO's own policy (paper, Algorithm 1): every ordered pair whose reward gap passes the threshold,
// σ((r_chosen − r_rejected) / τ) > η, which is r_chosen − r_rejected > δ = τ · ln(η / (1 − η)).
#include <plumb/selection_policy.h>
#include <cmath>

#include <plumb/plugin.h>

namespace {

class RewardGap final : public plumb::SelectionPolicy {
 public:
  struct Settings {
    double eta = 0.85, tau = 1.0;
    std::optional<double> delta;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"keep every pair of responses whose reward gap passes a threshold",
                              "RS-DPO, Algorithm 1"};
    p.add(&Settings::eta, "eta", "threshold on sigmoid(gap / tau)").at_least(0.5).below(1);
    p.add(&Settings::tau, "tau", "temperature of the gap").above(0);
    p.add(&Settings::delta, "delta", "threshold on the gap itself, instead of eta and tau").at_least(0).unit("reward");
    p.check([](const Settings& s) -> std::string {
      const Settings usual;
      if (!s.delta || (s.eta == usual.eta && s.tau == usual.tau)) return {};
      std::string idle = s.eta == usual.eta ? "tau" : "eta";
      return idle.append(" has no effect beside delta; give one of the two");
    });
    return p;
  }

  RewardGap(const Settings& settings, plumb::Host&)
      : delta_(settings.delta.value_or(settings.tau * std::log(settings.eta / (1 - settings.eta)))) {}

  [[nodiscard]] plumb::Selection select(const plumb::ResponseGroup& group, plumb::Random) const override {
    plumb::Selection selection;
    const int count = static_cast<int>(group.responses.size());
    for (int chosen = 0; chosen < count; ++chosen) {
      for (int rejected = 0; rejected < count; ++rejected) {
        const double gap = *group.responses[chosen].reward - *group.responses[rejected].reward;
        // Each unordered pair is looked at once, in the direction of its gap; a tie in the order of the responses.
        if (gap < 0 || (gap == 0 && chosen >= rejected)) continue;
        const bool kept = gap > delta_;
        selection.audit.push_back({{chosen, rejected}, gap, kept, kept ? "kept" : gap == 0 ? "tie" : "gap"});
        if (kept) selection.pairs.push_back({chosen, rejected});
      }
    }
    return selection;
  }

  [[nodiscard]] std::optional<double> threshold() const override { return delta_; }

 private:
  double delta_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.plumbline.reward-gap", "1.0.0", "Apache-2.0",
             "pairs whose reward gap passes a threshold" PLUMB_STATUS("stable")) {
  registrar.add<RewardGap>("reward-gap").yields({"pairs"});
}
