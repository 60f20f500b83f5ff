// A torch-free plugin: keeps every ordered pair whose reward gap is larger than `above`.
#include <plumb/plugin.h>
#include <plumb/selection_policy.h>

namespace {

class Gap final : public plumb::SelectionPolicy {
 public:
  struct Settings {
    double above = 0.5;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"keep pairs whose reward gap is larger than a number"};
    p.add(&Settings::above, "above", "the largest gap that is dropped").at_least(0).unit("reward");
    p.check([](const Settings& s) { return s.above == 13 ? std::string("13 is refused by a rule") : std::string(); });
    return p;
  }
  Gap(const Settings& settings, plumb::Host& host) : settings_(settings) {
    host.log(plumb::LogLevel::debug, "gap made");
  }

  [[nodiscard]] plumb::Selection select(const plumb::ResponseGroup& group, plumb::Random) const override {
    if (group.responses.empty()) throw std::invalid_argument("nothing to select from");
    plumb::Selection out;
    const int count = static_cast<int>(group.responses.size());
    for (int j = 0; j < count; ++j) {
      for (int l = 0; l < count; ++l) {
        const double gap =
            *group.responses[static_cast<std::size_t>(j)].reward - *group.responses[static_cast<std::size_t>(l)].reward;
        if (gap > settings_.above) out.pairs.push_back({j, l});
      }
    }
    return out;
  }
  [[nodiscard]] std::optional<double> threshold() const override { return settings_.above; }

 private:
  Settings settings_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "test.gap", "1.2.3", "Apache-2.0", "pairs by their reward gap") {
  registrar.add<Gap>("gap").yields({"pairs"});
}
