// Kind `reward_model`: a model with a reward head, trained on preferences.
#include "framework/core/catalogue/declared.h"
#include "framework/core/kinds/optimizer_rules.h"
#include "framework/core/kinds/training.h"

namespace plumb {
namespace {

namespace type = artifact_type;

Declared<RewardModelSettings> declare_reward_model() {
  Declared<RewardModelSettings> d{"train a model with a reward head on preferences", "RS-DPO, section 2.2"};
  auto& p = d.params;
  p.add(&RewardModelSettings::model, "model", "the model that gets the head").accepts({type::model}).required();
  p.add(&RewardModelSettings::data, "data", "preferences to learn")
      .accepts({type::preferences, type::pairs})
      .required();
  p.add(&RewardModelSettings::optimizer, "optimizer", "the loss").component("optimizer");
  p.add(&RewardModelSettings::eval, "eval", "held-out preferences for eval_accuracy and eval_margin")
      .accepts({type::preferences, type::pairs});
  declare_lora(d);
  d.include(&RewardModelSettings::training, declare_training());
  d.rule(broken_eval_steps<RewardModelSettings>);
  d.rule([](const RewardModelSettings& s) -> std::string {
    return s.training.placement.int8() ? "weights: not there yet: a model with 8-bit weights cannot get a reward head"
                                       : "";
  });
  return d;
}

StageKind make_kind() {
  StageKind kind = declare_reward_model().kind("reward_model", type::reward_model);
  kind.revision = 3;
  kind.newer = {"weights"};
  kind.models.work = ModelWork::trains;
  kind.rules = check_optimizer;
  return kind;
}

const KindRegistration registered(70, make_kind);

}  // namespace

Params<RewardModelSettings> reward_model_params() {
  return declare_reward_model().with_rules();
}

}  // namespace plumb
