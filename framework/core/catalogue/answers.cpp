// The stages that make answers, judge them and choose among them.
#include <algorithm>
#include <set>

#include "framework/core/catalogue/catalogue.h"

namespace plumb {
namespace {

namespace type = artifact_type;

Declared<SampleSettings> declare_sample() {
  Declared<SampleSettings> d{"sample k answers to each prompt from a policy", "RS-DPO, section 2.3"};
  auto& p = d.params;
  using S = SampleSettings;
  p.add(&S::model, "model", "the policy that answers").accepts({type::model}).required();
  p.add(&S::prompts, "prompts", "what to answer; of preferences and demonstrations the prompt")
      .accepts({type::prompts, type::preferences, type::demonstrations})
      .required();
  p.add(&S::generator, "generator", "what runs the model").component("generator");
  p.add(&S::k, "k", "answers for each prompt").at_least(1).at_most(4096);
  p.add(&S::max_new_tokens, "max_new_tokens", "an answer is cut here").at_least(1).unit("tokens");
  p.add(&S::temperature, "temperature", "divides the logits; 0 is greedy").at_least(0);
  p.add(&S::top_k, "top_k", "draw from the k most probable tokens, ties kept; 0: from all").at_least(0);
  p.add(&S::top_p, "top_p", "then from the fewest that hold this probability").above(0).at_most(1);
  d.rule([](const S& s) -> std::string {
    return s.temperature == 0 && s.k > 1 ? "k: a temperature of 0 gives the same answer k times; k must be 1" : "";
  });
  return d;
}

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

Declared<SelectSettings> declare_select() {
  Declared<SelectSettings> d{"turn scored answers into pairs or demonstrations", "RS-DPO, section 2.4"};
  auto& p = d.params;
  using S = SelectSettings;
  p.add(&S::scored, "scored", "answers with rewards").accepts({type::scored}).required();
  p.add(&S::policy, "policy", "which answers make a pair").component("selection-policy");
  p.add(&S::max_pairs, "max_pairs", "a random part of this size, by the run's seed; 0: all").at_least(0).unit("pairs");
  p.add(&S::deduplicate, "deduplicate", "take one of several equal answers to a prompt");
  return d;
}

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
  d.rule(broken_evaluate);
  return d;
}

Declared<ReportSettings> declare_report() {
  Declared<ReportSettings> d{"one page on what the named stages gave"};
  auto& p = d.params;
  p.add(&ReportSettings::of, "of", "evaluations, pairs, trained models: everything to be shown").accepts({}).required();
  p.add(&ReportSettings::title, "title", "heading of the page");
  p.add(&ReportSettings::examples, "examples", "prompts shown with the answers of each model").at_least(0);
  p.add(&ReportSettings::example_prompts, "example_prompts",
        "these are shown in place of `examples` at even distances: ids of prompts, or how they begin");
  d.rule([](const ReportSettings& s) -> std::string {
    return s.of.empty() ? "of: the list is empty; name at least one stage" : "";
  });
  return d;
}

}  // namespace

Params<SampleSettings> sample_params() {
  return declare_sample().with_rules();
}
Params<ScoreSettings> score_params() {
  return declare_score().with_rules();
}
Params<SelectSettings> select_params() {
  return declare_select().with_rules();
}
Params<EvaluateSettings> evaluate_params() {
  return declare_evaluate().with_rules();
}
Params<ReportSettings> report_params() {
  return declare_report().with_rules();
}

StageKind sample_kind() {
  return declare_sample().kind("sample", type::responses);
}
StageKind score_kind() {
  StageKind kind = declare_score().kind("score", type::scored);
  kind.revision = 2;
  kind.uses_seed = [](const Value&) { return false; };
  return kind;
}
StageKind select_kind() {
  return declare_select().kind("select", "*", "policy");
}
StageKind evaluate_kind() {
  StageKind kind = declare_evaluate().kind("evaluate", type::metrics);
  kind.revision = 2;
  return kind;
}
StageKind report_kind() {
  StageKind kind = declare_report().kind("report", type::report);
  kind.revision = 3;
  kind.uses_seed = [](const Value&) { return false; };
  return kind;
}

}  // namespace plumb
