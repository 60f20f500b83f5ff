// `plumb run RECIPE`: executes a recipe and prints its report.
#include "framework/core/pipeline/run.h"

#include <fmt/format.h>

#include <boost/program_options/value_semantic.hpp>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>

#include "framework/core/artifacts/disk.h"
#include "framework/core/door/ranks.h"
#include "framework/core/pipeline/follower.h"
#include "framework/core/pipeline/interruption.h"
#include "framework/core/pipeline/leader.h"
#include "tools/cli/recipe_options.h"
#include "tools/cli/run_guards.h"
#include "tools/cli/verb.h"

namespace plumb::cli {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;
using Texts = std::vector<std::string>;

void print_outcome(const RunResult& result) {
  for (const auto& report : result.reports) {
    std::cout << read_file(report.artifact / "report.txt").value() << "\n";
  }
  std::cout << fmt::format("{}: {} stages ran, {} came from the cache, {}\n", result.folder.string(), result.ran,
                           result.cached, show_duration(result.seconds));
  for (const auto& report : result.reports) {
    std::cout << fmt::format("report: {}\n", (report.link / "report.html").string());
  }
  for (const std::string& model : result.models) {
    std::cout << fmt::format("model: {}\n", (result.folder / model).string());
  }
  if (!result.models.empty()) {
    std::cout << fmt::format("talk to it: plumb chat {}\n", (result.folder / result.models.back()).string());
  }
}

// All arms of a sweep follow one text, even when the recipe is edited while they run.
void check_unchanged(const po::variables_map& given, const Recipe& recipe) {
  if (given.count("resolved-sha256") == 0) return;
  if (sha256_of(write_recipe(recipe)) == given["resolved-sha256"].as<std::string>()) return;
  throw Error(ErrorCode::recipe, "the recipe changed since its sweep began; run the sweep again");
}

// Of the command line, the same on every rank.
LoadedRecipe load(const po::variables_map& given) {
  LoadedRecipe loaded = load_recipe(recipe_request(given));
  if (loaded.sweep && loaded.problems.empty()) {
    throw Error(ErrorCode::recipe,
                fmt::format("the recipe has a sweep of {} arms; `plumb sweep` runs them all, `plumb run --arm {}` one",
                            loaded.sweep->arms.size(), loaded.sweep->arms.front().name));
  }
  return loaded;
}

// Alone, or as rank 0 of several.
int run_here(const po::variables_map& given, Leader* leader) {
  const bool json = given.count("json") != 0;
  LoadedRecipe loaded = load(given);
  if (const int status = report_problems(loaded, json); status != 0) return status;
  check_unchanged(given, loaded.recipe);
  const fs::path runs = given["runs"].as<std::string>();
  const Texts until = given.count("until") != 0 ? given["until"].as<Texts>() : loaded.until;
  if (given.count("trust") == 0) require_trust(loaded);
  const Progress::Form form = Progress::choose(given.count("quiet") != 0, json);
  if (given.count("locked") != 0) {
    const Plan plan =
        make_plan(loaded.recipe, ArtifactStore(runs / artifacts_folder), {}, true, show_reading(form)).value();
    require_lock(loaded.recipe, plan, loaded.registry, given["locked"].as<std::string>());
  }
  if (given.count("resolved-sha256") == 0) {  // a sweep has asked the plugins of all its arms
    const Plan plan =
        make_plan(loaded.recipe, ArtifactStore(runs / artifacts_folder), until, false, show_reading(form)).value();
    const int status = report_plugin_problems(loaded, json, {{&plan}, given.count("trust") != 0, true});
    if (status != 0) return status;
  }
  RunOptions options{.runs = runs, .until = until, .form = form};
  if (leader != nullptr) {
    leader->agree(loaded.recipe, runs);
    options.runner = leader;
    options.ranks = leader->record();
  }
  const RunResult result = run_recipe(loaded.recipe, loaded.source.text.text, loaded.registry, options);
  if (!json) print_outcome(result);
  return 0;
}

int run_as_leader(const po::variables_map& given, const Place& place, RankGroup& group) {
  Leader leader(group, place);
  try {
    const int status = run_here(given, &leader);
    leader.end(status);
    return status;
  } catch (const Error& error) {
    leader.end(static_cast<int>(error.code()));
    throw;
  } catch (...) {
    leader.end(static_cast<int>(ErrorCode::run_failed));
    throw;
  }
}

// Says nothing: rank 0 finds the same problems of the recipe, and says what else this rank finds.
int run_as_follower(const po::variables_map& given, RankGroup& group) {
  try {
    const LoadedRecipe loaded = load(given);
    if (!loaded.problems.empty()) {
      throw Error(ErrorCode::recipe, "the recipe is not valid here: " + loaded.problems.front().message);
    }
    check_unchanged(given, loaded.recipe);
    agree(group, facts_of(loaded.recipe), given["runs"].as<std::string>());
    return follow(group, loaded.recipe, loaded.registry);
  } catch (...) {
    return report_failure(group, std::current_exception());
  }
}

std::unique_ptr<RankGroup> join_others(const Place& place, double timeout) {
  const auto limit = std::chrono::milliseconds(static_cast<std::int64_t>(timeout * 1000));
  return join_ranks(place, {.timeout = limit, .stop = interruption, .stop_too = interrupt_too});
}

}  // namespace

int run_run(int argc, char** argv) {
  po::options_description options("Options");
  add_recipe_options(options);
  add_arm_option(options);
  options.add_options()("until", po::value<Texts>()->composing()->value_name("STAGE"),
                        "run only this stage and what it needs")(
      "runs", po::value<std::string>()->default_value("runs")->value_name("DIR"),
      "folder of the runs and of their cached artifacts")("quiet", "no progress, only warnings and errors")(
      "json", "events as lines of JSON on standard output")(
      "locked", po::value<std::string>()->value_name("LOCK"),
      "refuse to run with other plugins, parameters or data than this recipe.lock.yaml says")(
      "trust", "run plugins that the recipe names and that lie outside of its folder")(
      "debug-host", "check every call of a plugin, and every call that it makes, against its thread contract")(
      "rank-timeout", po::value<double>()->default_value(600)->value_name("SECONDS"),
      "of a run on several ranks: how long one waits for another that lives and does not come")(
      "resolved-sha256", po::value<std::string>()->value_name("HASH"),
      "refuse to run when the resolved recipe is not the one with this hash; `plumb sweep` gives it to its arms");
  const std::string arguments =
      std::string(kRecipeArguments) +
      " [--until STAGE]... [--runs DIR] [--locked LOCK] [--trust] [--debug-host] [--rank-timeout SECONDS] [--quiet | "
      "--json]";
  const auto given = parse_verb(argc, argv,
                                {arguments.c_str(),
                                 "Runs every stage of a recipe whose result is not cached, then prints the report.\n"
                                 "Interrupted at any point, the same command goes on.\n"
                                 "Started as several processes by torchrun --no-python, mpirun or srun, or with RANK,\n"
                                 "WORLD_SIZE, MASTER_ADDR and MASTER_PORT set, they work on it together."},
                                options, {"recipe"});
  if (!given) return 0;
  if (given->count("debug-host") != 0) ::setenv("PLUMB_DEBUG_HOST", "1", 1);  // what this process starts obeys, too
  const double timeout = (*given)["rank-timeout"].as<double>();
  if (!(timeout > 0)) throw Error(ErrorCode::recipe, "--rank-timeout must be above 0 seconds");
  const Place place = place_from_environment();
  if (place.world == 1) return run_here(*given, nullptr);
  const std::unique_ptr<RankGroup> group = join_others(place, timeout);
  return place.rank == 0 ? run_as_leader(*given, place, *group) : run_as_follower(*given, *group);
}

}  // namespace plumb::cli
