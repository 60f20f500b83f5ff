#include "framework/core/evaluation/run_scores.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/artifacts/artifact.h"
#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/run_files.h"
#include "framework/core/evaluation/evaluation_file.h"
#include "framework/core/evaluation/metric_name.h"
#include "framework/core/recipe/yaml.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

std::string identity(const Conversation& prompt) {
  std::string out;
  for (const Message& message : prompt) out += message.role + '\x1f' + message.content + '\x1e';
  return out;
}

ModelScores& model_of(RunScores& run, const std::string& name) {
  const auto found =
      std::find_if(run.models.begin(), run.models.end(), [&](const ModelScores& m) { return m.model == name; });
  if (found != run.models.end()) return *found;
  run.models.push_back({name, {}, false, {}, {}, {}, {}, {}});
  return run.models.back();
}

// "judge/aligned/mean" of the model "aligned" is "judge/mean", "words/aligned" is "words".
bool without_model(std::string& metric, const std::string& model, const std::vector<std::string>& models) {
  const auto name = split_metric_name(metric, models);
  if (!name || name->model != model) return false;
  metric = name->measure.empty() ? name->kind : name->kind + "/" + name->measure;
  return true;
}

std::vector<std::string> names_of(const RunScores& run) {
  std::vector<std::string> names;
  for (const ModelScores& model : run.models) names.push_back(model.model);
  return names;
}

// The score whose mean or wins a metric is: "mt-bench/mean" and "alpaca-eval/win_rate_over_x" are of mt-bench and
// alpaca-eval, "mt-bench/turn_1" is of "mt-bench turn 1".
std::string score_behind(std::string metric) {
  for (const std::string_view summary : {"/mean", "/win_rate"}) {
    if (const std::size_t at = metric.find(summary); at != std::string::npos) return metric.substr(0, at);
  }
  std::replace_if(
      metric.begin(), metric.end(), [](char c) { return c == '/' || c == '_'; }, ' ');
  return metric;
}

Result<void> add_failures(RunScores& run, const fs::path& folder, const std::string& prefix, const std::string& judge) {
  const Result<std::map<std::string, std::int64_t>> failures = read_failures(folder);
  if (!failures) return failures.error();
  const std::vector<std::string> names = names_of(run);
  for (ModelScores& model : run.models) {
    for (const auto& [full, count] : *failures) {
      std::string metric = full;
      if (!without_model(metric, model.model, names)) continue;
      model.metric_failures[prefix + metric] = count;
      const std::string score = score_behind(metric);
      model.score_failures[prefix + (score == "judge" && !judge.empty() ? judge : score)] = count;
    }
  }
  return {};
}

Result<void> add_evaluation(RunScores& run, const fs::path& folder, const std::string& prefix) {
  const Result<ArtifactManifest> manifest = read_manifest(folder);
  if (!manifest) return manifest.error();
  const std::string judge = name_at(manifest->params, "judge"), baseline = name_at(manifest->params, "baseline");
  Result<std::vector<EvaluatedAnswer>> answers = read_answers(folder);
  if (!answers) return answers.error();
  if (const Value* models = manifest->params.find("models"); models != nullptr && models->is_list()) {
    std::vector<std::string> keys;
    for (const auto& [param, key] : manifest->inputs) {
      if (param == "models") keys.push_back(key);
    }
    for (std::size_t i = 0; i < models->as_list().size(); ++i) {
      ModelScores& model = model_of(run, models->as_list()[i].as_string());
      if (keys.size() == models->as_list().size()) model.artifact = keys[i];
    }
  }
  std::string reward_model;
  for (const auto& [param, key] : manifest->inputs) {
    if (param == "reward_model") reward_model = key;
  }
  for (const EvaluatedAnswer& answer : *answers) {
    ModelScores& model = model_of(run, answer.model);
    for (const auto& [name, score] : answer.scores) {
      const std::string& shown = name == "judge" && !judge.empty() ? judge : name;
      model.scores[prefix + shown][identity(answer.prompt)].push_back(score);
      if (name == "reward") model.scorers[prefix + shown] = reward_model;
    }
  }
  Result<std::vector<Metric>> metrics = read_metrics(folder);
  if (!metrics) return metrics.error();
  const std::vector<std::string> names = names_of(run);
  for (ModelScores& model : run.models) {
    model.baseline = model.baseline || model.model == baseline;
    for (Metric metric : *metrics) {
      if (!without_model(metric.name, model.model, names)) continue;
      metric.name = prefix + metric.name;
      model.metrics.push_back(std::move(metric));
    }
  }
  return add_failures(run, folder, prefix, judge);
}

Result<RunScores> read_run(const fs::path& folder) {
  const Result<Value> record = read_run_file(folder);
  if (!record) return record.error();
  RunScores run;
  run.name = run.row = fs::canonical(folder).filename().string();
  run.folder = folder.string();
  run.seed = static_cast<std::uint64_t>(record->at("seed").as_int());
  std::vector<std::string> evaluations;
  for (const Value& stage : record->at("stages").as_list()) {
    const std::string& status = stage.at("status").as_string();
    if (stage.at("type") == Value(artifact_type::metrics) && (status == "done" || status == "cached")) {
      evaluations.push_back(stage.at("stage").as_string());
    }
  }
  if (evaluations.empty()) {
    return Error(ErrorCode::data,
                 fmt::format("{} holds no finished evaluation; `plumb show` says what it holds", folder.string()));
  }
  for (const std::string& stage : evaluations) {
    Result<void> added = add_evaluation(run, folder / stage, evaluations.size() > 1 ? stage + ": " : "");
    if (!added) return added.error();
  }
  const Result<std::string> recipe = read_file(folder / "recipe.resolved.yaml");
  if (recipe) run.recipe = parse_yaml(*recipe).value;
  if (run.recipe.is_map()) {
    auto& entries = run.recipe.as_map();
    std::erase_if(entries, [](const Value::Entry& e) { return e.key == "name" || e.key == "seed"; });
  }
  return run;
}

Result<ScoresOf> read_sweep(const fs::path& folder) {
  const Result<Value> record = read_sweep_file(folder);
  if (!record) return record.error();
  ScoresOf out;
  out.baseline = name_at(*record, "baseline");
  for (const Value& arm : record->at("arms").as_list()) {
    const std::string& name = arm.at("arm").as_string();
    const std::string& status = arm.at("status").as_string();
    if (status != "done") {
      out.missing.push_back(fmt::format("{}: {}", name, status));
      continue;
    }
    Result<RunScores> run = read_run(folder / name);
    if (!run) return run.error();
    run->name = name;
    run->row = arm.at("row").as_string();
    run->sweep = fs::canonical(folder).string();
    out.runs.push_back(std::move(*run));
  }
  if (out.runs.empty()) {
    return Error(ErrorCode::data, fmt::format("no arm of {} is done; `plumb sweep` runs them", folder.string()));
  }
  return out;
}

}  // namespace

Result<ScoresOf> read_scores(const fs::path& folder) {
  std::error_code ignored;
  try {
    if (fs::exists(folder / "sweep.json", ignored)) return read_sweep(folder);
    if (!fs::exists(folder / "run.json", ignored)) {
      return Error(ErrorCode::data,
                   fmt::format("{} is neither a run nor a sweep: it holds no run.json and no sweep.json. Both lie in "
                               "`runs/NAME`, where `plumb run` and `plumb sweep` put them",
                               folder.string()));
    }
    Result<RunScores> run = read_run(folder);
    if (!run) return run.error();
    ScoresOf out;
    out.runs.push_back(std::move(*run));
    return out;
  } catch (const Error& error) {
    return Error(ErrorCode::data, fmt::format("{}: {}", folder.string(), error.what()));
  }
}

}  // namespace plumb
