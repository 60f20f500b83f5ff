// `plumb plan RECIPE`: what a run would do, what is cached, and why something runs again.
#include <fmt/format.h>

#include <array>
#include <iostream>
#include <sstream>

#include "framework/core/artifacts/disk.h"
#include "framework/core/pipeline/estimate.h"
#include "framework/core/pipeline/plan.h"
#include "framework/core/telemetry/output.h"
#include "tools/cli/gpu_estimates.h"
#include "tools/cli/recipe_options.h"
#include "tools/cli/sweep_plan.h"
#include "tools/cli/verb.h"

namespace po = boost::program_options;

namespace plumb::cli {
namespace {

const char* spelling(StageState state) {
  switch (state) {
    case StageState::cached:
      return "cached";
    case StageState::run:
      return "run";
    case StageState::unneeded:
      return "not needed";
  }
  return "";
}

constexpr std::size_t kLine = 120, kReasons = 40;  // characters of a line, and at least of its reasons

// With `code` a stage that a plugin provides is asked what it will need: only its code knows.
StageEstimate foretold(const PlannedStage& stage, const Plan& plan, bool code) {
  if (code || stage.spec->of_plugin == nullptr) return estimate(stage, plan);
  StageEstimate out;
  if (stage.earlier) out.seconds = stage.earlier->seconds;
  return out;
}

struct Totals {
  std::array<std::size_t, 3> of_state{};
  std::uint64_t disk = 0, memory = 0;

  void add(StageState state, const StageEstimate& e) {
    ++of_state[static_cast<std::size_t>(state)];
    disk += e.disk_bytes.value_or(0);
    memory = std::max(memory, e.memory_bytes.value_or(0));
  }
};

std::string bytes(const std::optional<std::uint64_t>& value) {
  return value ? "~" + in_bytes(*value) : "-";
}

// Lines of at most `width` characters, cut between words; a longer word has a line of its own.
std::vector<std::string> wrapped(const std::string& text, std::size_t width) {
  std::vector<std::string> lines{""};
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    std::string& line = lines.back();
    if (line.empty()) {
      line = word;
    } else if (line.size() + 1 + word.size() <= width) {
      line += " " + word;
    } else {
      lines.push_back(word);
    }
  }
  return lines;
}

// Columns as wide as their widest cell; the last one, the reasons, goes on below itself.
void print_table(const std::vector<std::array<std::string, 7>>& rows) {
  std::array<std::size_t, 7> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i + 1 < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    const std::size_t before = line.size();
    for (const std::string& part : wrapped(row.back(), std::max(kReasons, kLine - std::min(kLine, before)))) {
      line += part;
      line.erase(line.find_last_not_of(' ') + 1);
      std::cout << line << "\n";
      line.assign(before, ' ');
    }
  }
}

void print_text(const Plan& plan, bool code) {
  std::vector<std::array<std::string, 7>> rows{{"stage", "kind", "", "memory", "disk", "last took", "why"}};
  Totals totals;  // of what runs
  for (const PlannedStage& stage : plan.stages) {
    const bool runs = stage.state == StageState::run;
    const StageEstimate e = runs ? foretold(stage, plan, code) : StageEstimate{};
    totals.add(stage.state, e);
    rows.push_back({stage.spec->name, stage.spec->kind->kind, spelling(stage.state), bytes(e.memory_bytes),
                    bytes(e.disk_bytes), e.seconds ? fmt::format("{:.1f} s", *e.seconds) : "-",
                    fmt::format("{}", fmt::join(stage.why, "; "))});
  }
  print_table(rows);
  std::cout << fmt::format("\n{} stages: {} cached, {} to run", plan.stages.size(), totals.of_state[0],
                           totals.of_state[1]);
  if (totals.of_state[2] > 0) std::cout << fmt::format(", {} not needed", totals.of_state[2]);
  std::cout << "\n";
  if (totals.disk > 0 || totals.memory > 0) {
    std::cout << fmt::format("estimates: memory of the largest stage ~{} without activations, disk of the models ~{}\n",
                             in_bytes(totals.memory), in_bytes(totals.disk));
  }
}

Value optional_value(const std::optional<std::uint64_t>& value) {
  return value ? Value(static_cast<std::int64_t>(*value)) : Value();
}

void print_json(const Plan& plan, bool code) {
  Value::List stages;
  std::array<std::int64_t, 3> of_state{};
  for (const PlannedStage& stage : plan.stages) {
    ++of_state[static_cast<std::size_t>(stage.state)];
    const StageEstimate e = foretold(stage, plan, code);
    Value::List why;
    for (const std::string& reason : stage.why) why.emplace_back(reason);
    stages.push_back(Value::map({{"stage", stage.spec->name},
                                 {"kind", stage.spec->kind->kind},
                                 {"type", stage.spec->output},
                                 {"state", spelling(stage.state)},
                                 {"key", stage.manifest.key},
                                 {"why", Value(std::move(why))},
                                 {"estimate", Value::map({{"parameters", optional_value(e.parameters)},
                                                          {"memory_bytes", optional_value(e.memory_bytes)},
                                                          {"disk_bytes", optional_value(e.disk_bytes)},
                                                          {"seconds", e.seconds ? Value(*e.seconds) : Value()}})}}));
  }
  const auto count = [&](StageState state) { return Value(of_state[static_cast<std::size_t>(state)]); };
  unfiltered_output() << to_json(Value::map({{"stages", Value(std::move(stages))},
                                             {"cached", count(StageState::cached)},
                                             {"run", count(StageState::run)},
                                             {"not_needed", count(StageState::unneeded)}}),
                                 false, 2)
                      << "\n";
}

Accelerator gpu_of(const po::variables_map& given) {
  Accelerator gpu;
  if (given.count("gpu-memory") == 0) return gpu;
  const double memory = given["gpu-memory"].as<double>();
  if (!(memory >= 1 && memory <= 1e6)) {
    throw Error(ErrorCode::recipe, fmt::format("--gpu-memory: found {}, wanted GiB of one GPU, such as 24", memory));
  }
  gpu.memory = static_cast<std::uint64_t>(memory * (std::uint64_t{1} << 30));
  return gpu;
}

int print_arms(const LoadedRecipe& loaded) {
  if (!loaded.sweep) {
    throw Error(ErrorCode::recipe, fmt::format("--arms: {} has no sweep, so it has no arms; `plumb run` runs it",
                                               loaded.source.file.string()));
  }
  for (const Arm& arm : loaded.sweep->arms) std::cout << arm.name << "\n";
  return 0;
}

}  // namespace

int run_plan(int argc, char** argv) {
  po::options_description options("Options");
  add_recipe_options(options);
  add_arm_option(options);
  add_absence_option(options);
  add_code_option(options);
  options.add_options()("until", po::value<std::vector<std::string>>()->composing()->value_name("STAGE"),
                        "plan only this stage and what it needs")(
      "runs", po::value<std::string>()->default_value("runs")->value_name("DIR"),
      "folder of runs and cached artifacts")("json", "print JSON")(
      "arms", "print only the names of the sweep's arms, one a line, as --arm takes them")(
      "gpus", "estimate memory and time on one GPU like the paper's")(
      "gpu-memory", po::value<double>()->value_name("GIB"), "the same for a GPU with so much memory, not 40 GiB");
  const std::string arguments =
      std::string(kRecipeArguments) +
      " [--until STAGE]... [--runs DIR] [--without-files] [--no-code] [--gpus | --gpu-memory GIB | --json | --arms]";
  const auto given =
      parse_verb(argc, argv,
                 {arguments.c_str(),
                  "Says which stages of a recipe would run, which are cached, and why one runs again. Estimates of\n"
                  "memory and disk are marked ~; they come from configurations, and no weights are loaded. Plugins of\n"
                  "stages that would run are opened in a process of their own, for the rules that only they know, and\n"
                  "stages that plugins provide are asked what they will need."},
                 options, {"recipe"});
  if (!given) return 0;
  const bool json = given->count("json") != 0, gpus = given->count("gpus") + given->count("gpu-memory") != 0;
  const bool names = given->count("arms") != 0;
  const Accelerator gpu = gpu_of(*given);
  RecipeRequest request = recipe_request(*given);
  request.devices_may_be_absent = gpus || names;
  LoadedRecipe loaded = load_recipe(request);
  if (const int status = report_problems(loaded, json && !names); status != 0) return status;
  if (names) return print_arms(loaded);
  say_absent_device(loaded);
  std::vector<std::string> until = loaded.until;
  if (given->count("until") != 0) until = (*given)["until"].as<std::vector<std::string>>();
  const ArtifactStore store(std::filesystem::path((*given)["runs"].as<std::string>()) / ".artifacts");
  const FileReading reading = show_reading(Progress::choose(false, false));
  const auto check_code = [&](const std::vector<Plan>& plans) {
    if (given->count("no-code") != 0 || plans.empty()) return 0;
    std::vector<const Plan*> all;
    for (const Plan& plan : plans) all.push_back(&plan);
    return report_plugin_problems(loaded, json, {all});
  };
  if (loaded.sweep) {
    if (!until.empty()) loaded.sweep->until = until;
    const SweepPlan arms = plan_sweep(*loaded.sweep, store, reading).value();
    if (const int status = check_code(arms.arms); status != 0) return status;
    print_sweep_plan(*loaded.sweep, arms, json);
    if (!json && gpus) print_gpu_estimates(arms.arms, gpu);
    return 0;
  }
  const Plan plan = make_plan(loaded.recipe, store, until, true, reading).value();
  if (const int status = check_code({plan}); status != 0) return status;
  const bool code = given->count("no-code") == 0;
  json ? print_json(plan, code) : print_text(plan, code);
  if (!json && gpus) print_gpu_estimates({plan}, gpu);
  return 0;
}

}  // namespace plumb::cli
