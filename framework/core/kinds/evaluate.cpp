// Kind `evaluate`: models measured by their answers to held-out prompts.
#include <algorithm>
#include <set>

#include "framework/core/catalogue/declared.h"
#include "framework/core/catalogue/settings.h"
#include "framework/core/report/sections.h"

namespace plumb {
namespace {

namespace type = artifact_type;

std::string broken_evaluate(const EvaluateSettings& s) {
  if (s.models.empty()) return "models: the list is empty; name at least one model";
  if (std::set<std::string>(s.models.begin(), s.models.end()).size() != s.models.size()) {
    return "models: the same model stands in the list twice";
  }
  if (s.evaluators.empty()) return "evaluators: the list is empty; name at least one evaluator";
  if (s.baseline && std::find(s.models.begin(), s.models.end(), *s.baseline) == s.models.end()) {
    return "baseline: " + *s.baseline + " is not in `models`; compare with one of them";
  }
  if (s.overlong != "error" && !s.reward_model) {
    return "overlong: has no effect without `reward_model`; a judge has a setting of its own";
  }
  if (s.temperature == 0 && s.samples > 1) {
    return "samples: a temperature of 0 gives the same answer each time; samples must be 1";
  }
  return {};
}

Declared<EvaluateSettings> declare_evaluate() {
  Declared<EvaluateSettings> d{"measure models by their answers to held-out prompts", "RS-DPO, section 3.3"};
  auto& p = d.params;
  using S = EvaluateSettings;
  p.add(&S::models, "models", "the models to measure").accepts({type::model}).required();
  p.add(&S::baseline, "baseline", "one of them; win rates and paired differences are against it")
      .accepts({type::model});
  p.add(&S::prompts, "prompts", "held-out prompts").accepts({type::prompts}).required();
  p.add(&S::evaluators, "evaluators", "what is measured").component("evaluator").required();
  p.add(&S::judge, "judge", "rates or compares answers for the evaluators that ask for it").component("judge");
  p.add(&S::reward_model, "reward_model", "for the evaluators that ask for it").accepts({type::reward_model});
  p.add(&S::overlong, "overlong",
        "an answer that is longer with its prompt than `reward_model` reads: error ends the stage before it is scored, "
        "truncate-left reads the end of both, counted in the summary")
      .choices({"error", "truncate-left"});
  p.add(&S::max_new_tokens, "max_new_tokens", "an answer is cut here").at_least(1).unit("tokens");
  p.add(&S::temperature, "temperature", "divides the logits; 0 is greedy").at_least(0);
  p.add(&S::top_k, "top_k", "draw from the k most probable tokens; 0: from all").at_least(0);
  p.add(&S::top_p, "top_p", "then from the fewest that hold this probability").above(0).at_most(1);
  p.add(&S::samples, "samples", "answers of each model to each prompt").at_least(1);
  p.add(&S::rows, "rows", "answers in flight; bounds the memory of keys and values").at_least(1).at_most(65536);
  p.include(&S::placement, Placement::params());
  d.rule(broken_evaluate);
  return d;
}

StageKind make_kind() {
  StageKind kind = declare_evaluate().kind("evaluate", type::metrics);
  kind.revision = 2;
  kind.newer = {"dtype", "device", "weights", "rows"};
  // The stage's reward model may be for the evaluators, and the judge another.
  kind.feeds = {{.component = "judge", .input = "reward_model", .unless_own = true}};
  kind.report.section = add_scores;
  kind.models = {.work = ModelWork::samples, .answers = "samples", .judged = true};
  return kind;
}

const KindRegistration registered(120, make_kind);

}  // namespace

Params<EvaluateSettings> evaluate_params() {
  return declare_evaluate().with_rules();
}

}  // namespace plumb
