// Kind `sft`: supervised fine-tuning on demonstrations.
#include "framework/core/catalogue/declared.h"
#include "framework/core/kinds/optimizer_rules.h"
#include "framework/core/kinds/training.h"

namespace plumb {
namespace {

namespace type = artifact_type;

Declared<SftSettings> declare_sft() {
  Declared<SftSettings> d{"supervised fine-tuning on demonstrations", "RS-DPO, section 2.1"};
  auto& p = d.params;
  p.add(&SftSettings::model, "model", "the model to start from").accepts({type::model}).required();
  p.add(&SftSettings::data, "data", "conversations to imitate").accepts({type::demonstrations}).required();
  p.add(&SftSettings::optimizer, "optimizer", "the loss").component("optimizer");
  p.add(&SftSettings::learn, "learn", "the tokens that carry loss").choices({"assistant", "all"});
  p.add(&SftSettings::eval, "eval", "held-out demonstrations for eval_loss").accepts({type::demonstrations});
  declare_lora(d);
  d.include(&SftSettings::training, declare_training());
  d.rule(broken_eval_steps<SftSettings>);
  d.rule(frozen_only<SftSettings>);
  return d;
}

StageKind make_kind() {
  StageKind kind = declare_sft().kind("sft", type::model);
  kind.revision = 2;
  kind.newer = {"weights"};
  kind.models.work = ModelWork::trains;
  kind.rules = check_optimizer;
  return kind;
}

const KindRegistration registered(60, make_kind);

}  // namespace

Params<SftSettings> sft_params() {
  return declare_sft().with_rules();
}

}  // namespace plumb
