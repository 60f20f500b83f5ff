// Stage `evaluate`: models answer held-out prompts, evaluators measure the answers.
//
// Output: metrics.json, answers.jsonl and the evaluators' own files (evaluation/evaluation_file.h). On several ranks the
// evaluators, the judge and the reward model run on rank 0, and all ranks answer the prompts.
#include <fmt/format.h>

#include <set>

#include "framework/core/artifacts/records_file.h"
#include "framework/core/artifacts/row_files.h"
#include "framework/core/catalogue/settings.h"
#include "framework/core/components/make.h"
#include "framework/core/evaluation/answers.h"
#include "framework/core/evaluation/evaluation_file.h"
#include "framework/engine/stages/body.h"
#include "framework/engine/stages/shared_models.h"

namespace plumb {
namespace {

EvaluatedModel to_model(const std::string& name, const Artifact& artifact) {
  return {name, artifact.folder, artifact.manifest.key};
}

// A prompt that is there twice gets the same answers twice, which would make a mean look surer than it is.
std::int64_t drop_repeated(std::vector<Prompt>& prompts) {
  std::set<std::string> seen;
  return static_cast<std::int64_t>(std::erase_if(prompts, [&](const Prompt& prompt) {
    return !seen.insert(to_json(to_value(Prompt{{}, prompt.messages, prompt.extra}), true)).second;
  }));
}

// What the answers were drawn at: a number, or the range of those that an evaluator chose.
Value temperature_of(const std::set<double>& asked, double otherwise) {
  if (asked.empty()) return otherwise;
  if (asked.size() == 1) return *asked.begin();
  return fmt::format("{} to {}, by the evaluator", *asked.begin(), *asked.rbegin());
}

AnswerSources gather(StageContext& context, const EvaluateSettings& settings) {
  AnswerSources sources;
  for (const auto& [name, artifact] : context.inputs("models")) sources.models.push_back(to_model(name, *artifact));
  sources.baseline = settings.baseline.value_or("");
  sources.prompts = read_prompts(context.input("prompts").folder / row_file::prompts).value();
  const auto there = static_cast<std::int64_t>(sources.prompts.size());
  RowAccount account;
  account.add({.what = "merged",
               .count = drop_repeated(sources.prompts),
               .of = there,
               .unit = "prompts",
               .reason = "the same prompt came before"});
  context.account(account);
  sources.options = {settings.samples, settings.max_new_tokens, settings.temperature, settings.top_k, settings.top_p};
  if (const Artifact* reward = context.optional_input("reward_model"); reward != nullptr) {
    sources.reward_model = to_model(*settings.reward_model, *reward);
    sources.truncate_left = settings.overlong == "truncate-left";
  }
  sources.placement = settings.placement;
  sources.rows = settings.rows;
  sources.seed = context.random().derive("evaluate").key();
  sources.cache = context.work_folder();
  if (sources.prompts.empty()) {
    throw Error(ErrorCode::data,
                fmt::format("dataset {} holds no prompts; an evaluation needs at least one", settings.prompts));
  }
  return sources;
}

Evaluation run_evaluator(StageContext& context, const ComponentRef& chosen, Answers& answers) {
  const auto evaluator = make<Evaluator>(context, chosen);
  try {
    return evaluator.call(&Evaluator::evaluate, answers);
  } catch (...) {
    answers.rethrow_own_failure();
    if (context.cancelled()) throw Cancelled{};
    throw;
  }
}

Value summary_of(const Metric& metric, const Evaluation& evaluation) {
  const auto failures = evaluation.failures.find(metric.name);
  const bool failed = failures != evaluation.failures.end() && failures->second > 0;
  if (!failed && (!metric.low || !metric.high)) return metric.value;
  Value summary = Value::map({{"value", metric.value}});
  if (metric.low) summary.set("low", *metric.low);
  if (metric.high) summary.set("high", *metric.high);
  if (failed) summary.set("failed_judgements", failures->second);
  return summary;
}

void run(StageContext& context) {
  const EvaluateSettings settings = evaluate_params().parse(context.params());
  auto* models = static_cast<LanguageModels*>(context.query(LanguageModels::service));
  if (models == nullptr) throw Error(ErrorCode::run_failed, "this process offers no language models to evaluate");
  Collective& group = ranks();
  if (!group.leads()) return serve(*models, group, context);
  SharedModels shared(*models, group, context);
  Made<Judge> judge;
  if (settings.judge) judge = make<Judge>(context, *settings.judge);

  Answers answers(gather(context, settings), shared, judge.bare().get(), context);
  std::vector<std::pair<std::string, Evaluation>> evaluations;
  for (const ComponentRef& chosen : settings.evaluators) {
    evaluations.emplace_back(chosen.name, run_evaluator(context, chosen, answers));
  }
  write_evaluations(context.folder(), evaluations).value();

  context.summarise("prompts", static_cast<std::int64_t>(answers.prompts().size()));
  context.summarise("samples", settings.samples);
  context.summarise("temperature", temperature_of(answers.temperatures(), settings.temperature));
  context.account(answers.account());
  if (answers.overlong_cut() > 0) context.summarise("overlong_cut", answers.overlong_cut());
  for (const auto& [name, evaluation] : evaluations) {
    for (const Metric& metric : evaluation.metrics) context.summarise(metric.name, summary_of(metric, evaluation));
  }
}

const BodyRegistration registered("evaluate", run, on_ranks);

}  // namespace

}  // namespace plumb
