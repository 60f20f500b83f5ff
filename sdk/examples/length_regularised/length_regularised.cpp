// The best answer against the worst after a price on length: r − λ · words, as reward models like long answers.
#include <plumb/plugin.h>
#include <plumb/selection_policy.h>

#include <algorithm>

class LengthRegularised final : public plumb::SelectionPolicy {
 public:
  struct Settings {
    double lambda = 0.01, min_gap = 0;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"the best against the worst by reward minus a price on length"};
    p.add(&Settings::lambda, "lambda", "price of a word").at_least(0).unit("reward");
    p.add(&Settings::min_gap, "min_gap", "keep pairs whose gap is above this").at_least(0).unit("reward");
    return p;
  }
  LengthRegularised(const Settings& settings, plumb::Host&) : s_(settings) {}

  [[nodiscard]] plumb::Selection select(const plumb::ResponseGroup& group, plumb::Random) const override {
    std::vector<double> value;
    for (const plumb::Response& r : group.responses) {
      value.push_back(*r.reward - s_.lambda * static_cast<double>(std::count(r.text.begin(), r.text.end(), ' ') + 1));
    }
    if (value.empty()) return {};
    const auto [worst, best] = std::minmax_element(value.begin(), value.end());
    const double gap = *best - *worst;
    const plumb::PairChoice pair{static_cast<int>(best - value.begin()), static_cast<int>(worst - value.begin())};
    const bool kept = gap > s_.min_gap;
    return {
        kept ? std::vector{pair} : std::vector<plumb::PairChoice>(), {}, {{pair, gap, kept, kept ? "kept" : "gap"}}};
  }

 private:
  Settings s_;
};

PLUMB_PLUGIN(r, "org.example.length-regularised", "1.0.0", "Apache-2.0",
             "pairs by reward minus a price on length" PLUMB_STATUS("experimental")) {
  r.add<LengthRegularised>("length-regularised").yields({"pairs"});
}
