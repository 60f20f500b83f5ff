// my-plugin: the best answer of a prompt against its worst, when their rewards lie far enough apart.
#include <plumb/plugin.h>
#include <plumb/selection_policy.h>

namespace {

class MyPlugin final : public plumb::SelectionPolicy {
 public:
  struct Settings {
    double min_gap = 0.5;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"the best answer against the worst"};
    p.add(&Settings::min_gap, "min_gap", "keep the pair when their rewards differ by at least this")
        .at_least(0)
        .unit("reward");
    return p;
  }
  MyPlugin(const Settings& settings, plumb::Host&) : min_gap_(settings.min_gap) {}

  [[nodiscard]] plumb::Selection select(const plumb::ResponseGroup& group, plumb::Random) const override {
    const auto& responses = group.responses;
    if (responses.empty()) return {};
    std::size_t best = 0, worst = 0;
    for (std::size_t i = 1; i < responses.size(); ++i) {
      if (*responses[i].reward > *responses[best].reward) best = i;
      if (*responses[i].reward < *responses[worst].reward) worst = i;
    }
    const plumb::PairChoice pair{static_cast<int>(best), static_cast<int>(worst)};
    const double gap = *responses[best].reward - *responses[worst].reward;
    const bool kept = gap > 0 && gap >= min_gap_;
    plumb::Selection selection;
    selection.audit.push_back({pair, gap, kept, kept ? "kept" : gap == 0 ? "tie" : "gap"});
    if (kept) selection.pairs.push_back(pair);
    return selection;
  }

 private:
  double min_gap_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.example.my-plugin", "0.1.0", "Apache-2.0",
             "the best answer against the worst" PLUMB_STATUS("experimental")) {
  registrar.add<MyPlugin>("my-plugin").yields({"pairs"});
}
