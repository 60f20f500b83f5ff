// Kind `language_model`: next-token loss on every token, the backbone of a reward model.
#include "framework/core/catalogue/declared.h"
#include "framework/core/kinds/optimizer_rules.h"
#include "framework/core/kinds/training.h"

namespace plumb {
namespace {

namespace type = artifact_type;

Declared<LanguageModelSettings> declare_language_model() {
  Declared<LanguageModelSettings> d{"learn to predict every token of a corpus"};
  auto& p = d.params;
  p.add(&LanguageModelSettings::model, "model", "the model to start from").accepts({type::model}).required();
  p.add(&LanguageModelSettings::data, "data", "the corpus").accepts({type::texts, type::demonstrations}).required();
  p.add(&LanguageModelSettings::optimizer, "optimizer", "the loss").component("optimizer");
  d.include(&LanguageModelSettings::training, declare_training("longer texts are learnt as several rows, and counted"));
  d.rule([](const LanguageModelSettings& s) -> std::string {
    return s.training.eval_steps == 0 ? "" : "eval_steps: has no effect: this stage has no `eval`; leave it out";
  });
  d.rule([](const LanguageModelSettings& s) -> std::string {
    return s.training.placement.int8() ? "weights: 8-bit weights cannot be trained; this stage trains all weights" : "";
  });
  return d;
}

StageKind make_kind() {
  StageKind kind = declare_language_model().kind("language_model", type::model);
  kind.newer = {"weights"};
  kind.models.work = ModelWork::trains;
  kind.rules = check_optimizer;
  return kind;
}

const KindRegistration registered(50, make_kind);

}  // namespace

Params<LanguageModelSettings> language_model_params() {
  return declare_language_model().with_rules();
}

}  // namespace plumb
