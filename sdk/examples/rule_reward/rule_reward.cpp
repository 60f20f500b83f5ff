// A reward that no model computes: does the answer list as many things as the question asks for ("give me three …")?
// 1 when it does, less by the difference; a tenth less for each thing said twice.
#include <plumb/plugin.h>
#include <plumb/reward_model.h>

#include <array>
#include <cmath>
#include <set>

namespace {

std::vector<std::string> words_of(const std::string& text) {  // letters only, in lower case
  std::vector<std::string> words(1);
  for (const char c : text) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (lower >= 'a' && lower <= 'z') {
      words.back() += lower;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

class RuleReward final : public plumb::RewardModel {
 public:
  struct Settings {
    double repetition = 0.1;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"whether an answer lists as many words as its question asks for"};
    p.add(&Settings::repetition, "repetition", "price of a word said twice").at_least(0).unit("reward");
    return p;
  }
  RuleReward(const Settings& settings, plumb::Host&) : repetition_(settings.repetition) {}

  [[nodiscard]] std::vector<std::vector<double>> score(std::span<const plumb::ResponseGroup> groups) override {
    std::vector<std::vector<double>> rewards;
    for (const plumb::ResponseGroup& group : groups) {
      const double wanted = asked_for(group.prompt);
      std::vector<double>& row = rewards.emplace_back();
      for (const plumb::Response& response : group.responses) row.push_back(rate(response.text, wanted));
    }
    return rewards;
  }

 private:
  // The number in the last user's turn; 1 when there is none.
  static double asked_for(const plumb::Prompt& prompt) {
    static constexpr std::array<std::string_view, 6> numbers{"zero", "one", "two", "three", "four", "five"};
    for (const std::string& word : words_of(prompt.messages.back().content)) {
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (word == numbers[i]) return static_cast<double>(i);
      }
    }
    return 1;
  }

  [[nodiscard]] double rate(const std::string& answer, double wanted) const {
    const auto words = words_of(answer);
    const auto distinct = static_cast<double>(std::set<std::string>(words.begin(), words.end()).size());
    return 1 - std::abs(distinct - wanted) - repetition_ * (static_cast<double>(words.size()) - distinct);
  }

  double repetition_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.example.rule-reward", "1.0.0", "Apache-2.0",
             "a reward by rule" PLUMB_STATUS("experimental")) {
  registrar.add<RuleReward>("rule-reward");
}
