// my-plugin: a reward by rule, 1 for an answer of exactly the wanted length and less the further it is away.
#include <plumb/plugin.h>
#include <plumb/reward_model.h>

#include <cmath>
#include <sstream>

namespace {

class MyPlugin final : public plumb::RewardModel {
 public:
  struct Settings {
    std::int64_t wanted = 5;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"rewards answers of a wanted length"};
    p.add(&Settings::wanted, "wanted", "length that earns 1").at_least(1).unit("words");
    return p;
  }
  MyPlugin(const Settings& settings, plumb::Host&) : wanted_(static_cast<double>(settings.wanted)) {}

  [[nodiscard]] std::vector<std::vector<double>> score(std::span<const plumb::ResponseGroup> groups) override {
    std::vector<std::vector<double>> rewards;
    for (const plumb::ResponseGroup& group : groups) {
      rewards.emplace_back();
      for (const plumb::Response& response : group.responses) rewards.back().push_back(rate(response.text));
    }
    return rewards;
  }

 private:
  [[nodiscard]] double rate(const std::string& answer) const {
    std::istringstream in(answer);
    double words = 0;
    for (std::string word; in >> word;) ++words;
    return 1 - std::abs(words - wanted_) / wanted_;
  }

  double wanted_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.example.my-plugin", "0.1.0", "Apache-2.0",
             "rewards answers of a wanted length" PLUMB_STATUS("experimental")) {
  registrar.add<MyPlugin>("my-plugin");
}
