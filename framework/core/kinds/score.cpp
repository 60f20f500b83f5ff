// Kind `score`: a reward for each answer.
#include "framework/core/catalogue/declared.h"
#include "framework/core/catalogue/settings.h"

namespace plumb {
namespace {

namespace type = artifact_type;

Declared<ScoreSettings> declare_score() {
  Declared<ScoreSettings> d{"give each answer a reward", "RS-DPO, section 2.4"};
  auto& p = d.params;
  using S = ScoreSettings;
  p.add(&S::responses, "responses", "the answers").accepts({type::responses, type::scored}).required();
  p.add(&S::reward, "reward", "what computes the reward").component("reward-model");
  p.add(&S::reward_model, "reward_model", "a trained reward model, handed to `reward` as its path")
      .accepts({type::reward_model});
  p.add(
       &S::normalise, "normalise",
       "none: raw outputs; standardise: minus the mean, over the deviation, of this stage's rewards. eta depends on it")
      .choices({"none", "standardise"});
  return d;
}

StageKind make_kind() {
  StageKind kind = declare_score().kind("score", type::scored);
  kind.revision = 2;
  kind.uses_seed = [](const Value&) { return false; };
  kind.feeds = {{.component = "reward", .input = "reward_model"}};
  kind.models = {.work = ModelWork::scores, .component = "reward"};
  return kind;
}

const KindRegistration registered(90, make_kind);

}  // namespace

Params<ScoreSettings> score_params() {
  return declare_score().with_rules();
}

}  // namespace plumb
