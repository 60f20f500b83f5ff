// `plumb sweep RECIPE`: runs the arms of a recipe's sweep.
#include <fmt/format.h>

#include <boost/program_options/value_semantic.hpp>
#include <filesystem>
#include <iostream>

#include "framework/core/artifacts/disk.h"
#include "framework/core/pipeline/run.h"
#include "framework/core/report/comparison_table.h"
#include "framework/core/report/html.h"
#include "framework/core/sweep/sweep_run.h"
#include "tools/cli/launcher.h"
#include "tools/cli/recipe_options.h"
#include "tools/cli/run_guards.h"
#include "tools/cli/sweep_page.h"
#include "tools/cli/sweep_plan.h"
#include "tools/cli/verb.h"

namespace plumb::cli {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;
using Texts = std::vector<std::string>;

constexpr std::size_t kExamples = 20;  // prompts whose answers the report shows, as `plumb report` does by itself

// `plumb run` with the arguments that this verb got: an arm reads the recipe as the sweep did.
std::vector<std::string> command_of_an_arm(const RecipeRequest& request, const po::variables_map& given) {
  std::vector<std::string> command{std::filesystem::read_symlink("/proc/self/exe").string(), "run",
                                   request.file.string()};
  for (const std::string& set : request.overrides) command.insert(command.end(), {"--set", set});
  for (const auto& plugin : request.plugins) command.insert(command.end(), {"--plugin", plugin.string()});
  for (const char* flag : {"trust", "debug-host"}) {
    if (given.count(flag) != 0) command.push_back(std::string("--") + flag);
  }
  if (given.count("until") != 0) {
    for (const std::string& stage : given["until"].as<Texts>()) command.insert(command.end(), {"--until", stage});
  }
  return command;
}

// Every arm against the lock that an earlier sweep left, before any of them runs.
void require_locks(const LoadedRecipe& loaded, const SweepPlan& plan, const fs::path& locked) {
  for (std::size_t i = 0; i < plan.arms.size(); ++i) {
    const Arm& arm = loaded.sweep->arms[i];
    require_lock(arm.recipe, plan.arms[i], loaded.registry, lock_of_arm(locked, arm.name));
  }
}

// A sweep that evaluates has its report at once; one that cannot be written takes nothing from the sweep.
void write_report(const fs::path& folder, std::optional<Comparison> comparison, bool quiet) {
  try {
    write_file(folder / "report.html", to_html(sweep_page(folder, {.count = kExamples}, std::move(comparison))))
        .value();
    if (!quiet) std::cout << fmt::format("report: {}\n", (folder / "report.html").string());
  } catch (const Error& error) {
    std::cerr << fmt::format("no report: {}\n", error.what());
  }
}

// What `plumb compare` says, where there is something to compare.
std::optional<Comparison> print_comparison(const fs::path& folder) {
  Result<ScoresOf> scores = read_scores(folder);
  if (!scores) return std::nullopt;
  Result<Comparison> comparison = compare(scores->runs, {.baseline = scores->baseline});
  if (!comparison) return std::nullopt;  // the baseline itself may have failed
  std::cout << to_text(*comparison, folder.string()) << "\n";
  return std::move(*comparison);
}

void print_outcome(const Sweep& sweep, const SweepResult& result) {
  std::cout << fmt::format("{}: {} of {} arms done, {}\n", result.folder.string(), result.done, sweep.arms.size(),
                           show_duration(result.seconds));
  if (result.failed > 0) {
    std::cout << fmt::format("{} failed; the same command tries {} again, and {} says why\n", result.failed,
                             result.failed == 1 ? "it" : "them", (result.folder / "sweep.json").string());
  }
}

}  // namespace

int run_sweep(int argc, char** argv) {
  po::options_description options("Options");
  add_recipe_options(options);
  options.add_options()("jobs", po::value<std::size_t>()->default_value(1)->value_name("N"), "arms that run at a time")(
      "launch", po::value<std::string>()->value_name("WORDS"),
      "words before the command of each arm, such as \"srun -n1 --gpus 1\"; it starts where they say, in this folder")(
      "until", po::value<Texts>()->composing()->value_name("STAGE"),
      "run the arms only to this stage; without it, to those that the sweep names")(
      "runs", po::value<std::string>()->default_value("runs")->value_name("DIR"),
      "folder of the runs and of their cached artifacts")("dry-run", "say what would run, as `plumb plan` does")(
      "quiet", "no progress, only what failed")("json", "events as lines of JSON on standard output")(
      "locked", po::value<std::string>()->value_name("SWEEP"),
      "refuse to run with other plugins, parameters or data than the recipe.lock.yaml of each arm in this sweep's "
      "folder says")("trust", "run plugins that the recipe names and that lie outside of its folder")(
      "debug-host", "check every call of a plugin, and every call that it makes, against its thread contract");
  const auto given = parse_verb(
      argc, argv,
      {"RECIPE [--set KEY=VALUE]... [--plugin FILE]... [--jobs N] [--launch WORDS] [--until STAGE]... [--runs DIR] "
       "[--locked SWEEP] [--trust] [--debug-host] [--dry-run] [--quiet | --json]",
       "Runs every arm of a recipe's sweep, each in a process of its own; stages that arms share run once. Failed "
       "arms\n"
       "do not stop the others: the same command tries them again, as it goes on after an interruption.\n"
       "`plumb run RECIPE --arm ARM` runs one arm."},
      options, {"recipe"});
  if (!given) return 0;
  const bool json = given->count("json") != 0;
  RecipeRequest request = recipe_request(*given);
  require_one_process("sweep");
  Texts launch;
  if (given->count("launch") != 0) launch = launcher_words((*given)["launch"].as<std::string>());
  request.devices_may_be_absent = !launch.empty();  // here, where arms are only started
  LoadedRecipe loaded = load_recipe(request);
  if (const int status = report_problems(loaded, json); status != 0) return status;
  if (!loaded.sweep) {
    throw Error(ErrorCode::recipe, fmt::format("{} has no sweep; `plumb run` runs it", request.file.string()));
  }
  if (given->count("until") != 0) loaded.sweep->until = (*given)["until"].as<Texts>();
  const fs::path runs = (*given)["runs"].as<std::string>();
  const fs::path locked = given->count("locked") != 0 ? (*given)["locked"].as<std::string>() : "";
  const FileReading reading = show_reading(Progress::choose(given->count("quiet") != 0, json));
  const auto plan = [&] { return plan_sweep(*loaded.sweep, ArtifactStore(runs / artifacts_folder), reading).value(); };
  if (given->count("dry-run") != 0) {
    print_sweep_plan(*loaded.sweep, plan(), json);
    return 0;
  }
  const std::size_t jobs = (*given)["jobs"].as<std::size_t>();
  if (jobs == 0) throw Error(ErrorCode::recipe, "--jobs must be at least 1");
  if (given->count("trust") == 0) require_trust(loaded);
  if (!locked.empty()) require_locks(loaded, plan(), locked);
  {
    const SweepPlan arms = plan();
    std::vector<const Plan*> all;
    for (const Plan& arm : arms.arms) all.push_back(&arm);
    const int status = report_plugin_problems(loaded, json, {all, given->count("trust") != 0, true});
    if (status != 0) return status;
  }
  const SweepResult result = plumb::run_sweep(loaded, {.runs = runs,
                                                       .command = command_of_an_arm(request, *given),
                                                       .launch = launch,
                                                       .locked = locked,
                                                       .jobs = jobs,
                                                       .form = Progress::choose(given->count("quiet") != 0, json)});
  std::optional<Comparison> comparison;
  if (!json) comparison = print_comparison(result.folder);
  if (result.done > 0) write_report(result.folder, std::move(comparison), json);
  if (!json) print_outcome(*loaded.sweep, result);
  return result.failed > 0 ? static_cast<int>(ErrorCode::arms_failed) : 0;
}

}  // namespace plumb::cli
