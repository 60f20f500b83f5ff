// Answers that a rule lets through: long enough, and without any of some phrases. A prompt that keeps too few of its
// answers goes with them.
#include <plumb/plugin.h>
#include <plumb/stage.h>

#include <algorithm>
#include <sstream>

namespace {

class FilterResponses final : public plumb::Stage {
 public:
  struct Settings {
    std::string responses;
    std::vector<std::string> forbidden;
    std::int64_t min_words = 1, at_least = 2;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"answers that a rule lets through"};
    p.add(&Settings::responses, "responses", "the answers, scored or not").accepts({"responses", "scored"}).required();
    p.add(&Settings::forbidden, "forbidden", "phrases; an answer with one of them is left out");
    p.add(&Settings::min_words, "min_words", "shorter answers are left out").at_least(0).unit("words");
    p.add(&Settings::at_least, "at_least", "a prompt with fewer answers is left out").at_least(0).unit("answers");
    return p;
  }
  FilterResponses(Settings settings, plumb::Host& host) : settings_(std::move(settings)), host_(host) {}

  void run(plumb::StageRun& run) override {
    const auto groups = run.rows<plumb::ResponseGroup>("responses");
    std::int64_t answers = 0, dropped = 0, prompts = 0;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      plumb::ResponseGroup group = groups[i];
      answers += static_cast<std::int64_t>(group.responses.size());
      dropped += static_cast<std::int64_t>(
          std::erase_if(group.responses, [&](const plumb::Response& r) { return !passes(r.text); }));
      const bool enough = static_cast<std::int64_t>(group.responses.size()) >= settings_.at_least;
      prompts += enough ? 0 : 1;
      if (enough) run.write(group);
      host_.progress("prompts", i + 1, groups.size());
    }
    run.leave_out({dropped, answers, "the rule", "answers", "fewer `forbidden` phrases, or a lower min_words"});
    run.leave_out({prompts, static_cast<std::int64_t>(groups.size()),
                   "fewer than " + std::to_string(settings_.at_least) + " answers are left", "prompts"});
    run.summarise("prompts", static_cast<std::int64_t>(run.written()));
  }

  // Every answer is in memory once, as rows and as they are on disk.
  [[nodiscard]] plumb::StageNeeds estimate(const plumb::StageFacts& facts) const override {
    const auto rows = facts.rows.find("responses");
    if (rows == facts.rows.end()) return {};
    const auto bytes = static_cast<std::uint64_t>(rows->second) * kBytesOfPrompt;
    return {.memory_bytes = 2 * bytes, .disk_bytes = bytes, .seconds = {}};
  }

 private:
  static constexpr std::uint64_t kBytesOfPrompt = 32 << 10;  // of sixteen answers of 500 tokens, ids and all

  [[nodiscard]] bool passes(const std::string& text) const {
    for (const std::string& phrase : settings_.forbidden) {
      if (text.find(phrase) != std::string::npos) return false;
    }
    std::istringstream in(text);
    std::int64_t words = 0;
    for (std::string word; in >> word;) ++words;
    return words >= settings_.min_words;
  }

  Settings settings_;
  plumb::Host& host_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.example.filter-responses", "1.0.0", "Apache-2.0",
             "answers that a rule lets through" PLUMB_STATUS("stable")) {
  registrar.add<FilterResponses>("filter-responses").yields({"responses", "scored"});
}
