#include "tools/cli/sweep_page.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/sweep/sweep_report.h"
#include "tools/cli/run_folder.h"

namespace plumb::cli {
namespace {

namespace fs = std::filesystem;

std::vector<SweepArm> arms_of(const fs::path& folder, const Value& sweep) {
  std::vector<SweepArm> arms;
  for (const Value& arm : sweep.at("arms").as_list()) {
    if (arm.at("status").as_string() != "done") continue;
    const fs::path run = folder / arm.at("arm").as_string();
    arms.push_back({arm.at("row").as_string(), static_cast<std::uint64_t>(arm.at("seed").as_int()),
                    run_artifacts(read_run(run), run)});
  }
  return arms;
}

bool evaluates(const SweepArm& arm) {
  return std::any_of(arm.stages.begin(), arm.stages.end(),
                     [](const auto& stage) { return stage.second.manifest.type == artifact_type::metrics; });
}

// Some studies end before an evaluation: reward gaps, the course of training.
Comparison comparison_of(const fs::path& folder, const std::vector<SweepArm>& arms, std::optional<Comparison> made) {
  if (std::none_of(arms.begin(), arms.end(), evaluates)) return {};
  const ScoresOf scores = read_scores(folder).value();
  Result<Comparison> comparison =
      made ? Result<Comparison>(std::move(*made)) : compare(scores.runs, {.baseline = scores.baseline});
  if (!comparison && comparison.error().code() == ErrorCode::recipe) {  // the baseline itself may have failed
    const std::string why = comparison.error().what();
    comparison = compare(scores.runs, {});
    if (comparison) comparison->notes.push_back(why);
  }
  if (!comparison) throw comparison.error();
  for (const std::string& arm : scores.missing) comparison->notes.push_back("without " + arm);
  return std::move(*comparison);
}

}  // namespace

Document sweep_page(const fs::path& folder, const Examples& examples, std::optional<Comparison> made) {
  const Value sweep = read_sweep(folder);
  const std::vector<SweepArm> arms = arms_of(folder, sweep);
  if (arms.empty()) {
    throw Error(ErrorCode::data, fmt::format("no arm of {} is done; `plumb sweep {}` runs them", folder.string(),
                                             sweep.at("file").as_string()));
  }
  const Comparison comparison = comparison_of(folder, arms, std::move(made));
  const Value* published = sweep.find("published");
  return write_sweep_report({.title = sweep.at("sweep").as_string(),
                             .comparison = comparison,
                             .arms = arms,
                             .published = published == nullptr ? Value() : *published,
                             .examples = examples})
      .value();
}

}  // namespace plumb::cli
