// A stage with the defects of its kind.
#include <plumb/plugin.h>
#include <plumb/stage.h>

#include <cmath>
#include <fstream>

#include "defect.h"

using defect::broken;

namespace {

// Answers in capital letters, in steps of two prompts.
class Loud final : public plumb::Stage {
 public:
  struct Settings {
    std::string responses;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"answers in capital letters"};
    p.add(&Settings::responses, "responses", "the answers").accepts({"responses", "scored"}).required();
    return p;
  }
  Loud(const Settings&, plumb::Host&) {}

  void run(plumb::StageRun& run) override {
    const auto groups = run.rows<plumb::ResponseGroup>("responses");
    if (broken("stage-silent")) return;
    if (broken("stage-changes-input")) {
      std::ofstream(run.input("responses").folder + "/responses.jsonl", std::ios::app) << "\n";
    }
    run.skip(run.saved());
    // A step too far, where an interruption left rows.
    const std::size_t first = run.saved() + (broken("stage-forgets") && run.saved() > 0 ? 1 : 0);
    for (std::size_t i = first; i < groups.size(); ++i) {
      plumb::ResponseGroup group = groups[i];
      for (plumb::Response& response : group.responses) {
        for (char& c : response.text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
        if (broken("stage-other-row") && run.output_type() == "scored") response.reward.reset();
      }
      if (broken("stage-other-type")) {
        run.write(group.prompt);
      } else {
        run.write(group);
      }
      if (run.written() % 2 == 0) run.checkpoint();
    }
    const std::size_t made = broken("stage-counts-anew") ? run.written() - run.saved() : run.written();
    run.summarise("prompts", static_cast<std::int64_t>(made));
  }
  [[nodiscard]] plumb::StageNeeds estimate(const plumb::StageFacts& facts) const override {
    if (broken("stage-estimate") && facts.rows.empty()) return {{}, {}, std::nan("")};
    return {{}, {}, 0.5};
  }
};

}  // namespace

PLUMB_PLUGIN(registrar, "test.loud", "1.0.0", "Apache-2.0", "a stage") {
  registrar.add<Loud>("loud").yields({"responses", "scored"});
}
