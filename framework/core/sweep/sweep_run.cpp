#include "framework/core/sweep/sweep_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <memory>
#include <set>

#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/file_system_error.h"
#include "framework/core/isolation/child_process.h"
#include "framework/core/pipeline/interruption.h"
#include "framework/core/pipeline/run.h"
#include "framework/core/sweep/sweep_order.h"
#include "framework/core/sweep/sweep_plan.h"
#include "framework/core/sweep/sweep_progress.h"
#include "framework/core/sweep/sweep_record.h"
#include "framework/core/sweep/sweep_results.h"
#include "framework/core/telemetry/rate.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_of(const Sweep& sweep) {
  std::vector<std::string> out;
  for (const Arm& arm : sweep.arms) out.push_back(arm.name);
  return out;
}

// Keys that an arm must make.
std::vector<std::string> keys_to_make(const Plan& arm) {
  std::vector<std::string> out;
  for (const PlannedStage& stage : arm.stages) {
    if (stage.state == StageState::run) out.push_back(stage.manifest.key);
  }
  return out;
}

std::vector<std::vector<std::string>> keys_by_arm(const SweepPlan& plan) {
  std::vector<std::vector<std::string>> out;
  for (const Plan& arm : plan.arms) out.push_back(keys_to_make(arm));
  return out;
}

// What an arm tells of its end, in the events that it prints: behind a launcher, that is the same wherever it ran.
struct Ending {
  std::string status, error, failed_key;

  void note(const std::string& line, const Plan& plan) {
    if (line.find("-finished\"") == std::string::npos) return;
    try {
      const Value event = parse_json(line);
      const std::string& kind = event.at("event").as_string();
      if (kind == "run-finished") {
        status = event.at("status").as_string();
        if (const Value* why = event.find("error")) error = why->as_string();
      } else if (kind == "stage-finished" && event.at("outcome") == Value("failed")) {
        if (const PlannedStage* stage = plan.find(event.at("stage").as_string())) failed_key = stage->manifest.key;
      }
    } catch (const Error&) {
      return;  // no event: something that a plugin printed
    }
  }
};

// Why an arm failed, in one line: as its run told it, else the last of what it printed, else its status.
std::string reason(int status, const Ending& ending, const std::string& errors) {
  if (!ending.error.empty()) return ending.error.substr(0, ending.error.find('\n'));
  const std::size_t end = errors.find_last_not_of('\n');
  if (end != std::string::npos) {
    const std::size_t start = errors.rfind('\n', end);
    return errors.substr(start == std::string::npos ? 0 : start + 1, end - (start == std::string::npos ? -1 : start));
  }
  return status > 128 ? fmt::format("ended by signal {}", status - 128) : fmt::format("ended with status {}", status);
}

class SweepRun {
 public:
  SweepRun(const LoadedRecipe& loaded, const SweepOptions& options)
      : sweep_(*loaded.sweep),
        options_(options),
        store_(options.runs / artifacts_folder),
        plan_(plan_sweep(sweep_, store_).value()),
        record_(options.runs / loaded.recipe.name, loaded.recipe, loaded.source.text.text, sweep_),
        order_(keys_by_arm(plan_)),
        progress_({.form = options.form,
                   .name = loaded.recipe.name,
                   .arms = names_of(sweep_),
                   .log_file = options.runs / loaded.recipe.name / "log.txt"}) {
    result_.folder = options.runs / loaded.recipe.name;
  }

  SweepResult execute() {
    const double start = steady_seconds();
    progress_.message(fmt::format("{}: {} arms, {} different stages: {} cached, {} to run", result_.folder.string(),
                                  sweep_.arms.size(), plan_.different, plan_.cached, plan_.to_run));
    take_what_is_done();
    for (start_arms(); !running_.empty(); start_arms()) {
      std::vector<ChildProcess*> children;
      for (auto& [arm, running] : running_) children.push_back(running.child.get());
      ChildProcess::wait_for_any(children, 100);
      forward_interruption();
      attend();
      progress_.tick();
    }
    result_.seconds = steady_seconds() - start;
    const std::string status = interruption() != 0 ? "stopped" : result_.failed > 0 ? "failed" : "finished";
    if (interruption() == 0) set_blocked();
    record_.finish(status, result_.seconds);
    write_sweep_results(record_.value(), result_.folder).value();
    progress_.finished(status);
    if (interruption() != 0) {
      throw Error(interruption_code(), fmt::format("stopped after {} of {} arms; the same command goes on from there",
                                                   result_.done, sweep_.arms.size()));
    }
    return result_;
  }

 private:
  struct Running {
    std::unique_ptr<ChildProcess> child;
    double started;
    Ending ending = {};
  };

  void take_what_is_done() {
    for (std::size_t arm = 0; arm < sweep_.arms.size(); ++arm) {
      const auto seconds = record_.done_before(arm);
      if (!seconds || !keys_to_make(plan_.arms[arm]).empty()) continue;
      order_.skip(arm);
      ++result_.done;
      record_.set(arm, "done", *seconds);
      progress_.ended(sweep_.arms[arm].name, "cached", 0, "");
    }
  }

  bool is_there(const std::string& key) {
    if (there_.count(key) != 0) return true;
    const auto found = store_.find(key);
    return found && found->has_value() && there_.insert(key).second;
  }

  void start_arms() {
    while (interruption() == 0 && running_.size() < options_.jobs) {
      const auto arm = order_.next([&](const std::string& key) { return is_there(key); });
      if (!arm) break;
      start(*arm);
    }
  }

  void start(std::size_t arm) {
    std::vector<std::string> command = options_.launch;
    command.insert(command.end(), options_.command.begin(), options_.command.end());
    command.insert(command.end(), {"--arm", sweep_.arms[arm].name, "--runs", options_.runs.string(), "--json",
                                   "--resolved-sha256", record_.resolved_sha256(arm)});
    if (!options_.locked.empty()) {
      command.insert(command.end(), {"--locked", lock_of_arm(options_.locked, sweep_.arms[arm].name).string()});
    }
    record_.set(arm, "running");
    progress_.started(sweep_.arms[arm].name);
    running_[arm] = {std::make_unique<ChildProcess>(command), steady_seconds(), {}};
  }

  // A signal reaches each arm once: a second would end it before its state is on disk. Launchers pass SIGTERM on; of
  // the others many make something of their own.
  void forward_interruption() {
    if (interruption() == 0 || forwarded_) return;
    forwarded_ = true;
    progress_.message("stopping: the arms that run write their state");
    for (auto& [arm, running] : running_) running.child->stop(options_.launch.empty() ? interruption() : SIGTERM);
  }

  void attend() {
    for (auto at = running_.begin(); at != running_.end();) {
      auto& [arm, running] = *at;
      const bool over = running.child->ended();
      for (const std::string& line : running.child->lines()) {
        progress_.event(sweep_.arms[arm].name, line);
        running.ending.note(line, plan_.arms[arm]);
      }
      if (over) end(arm, running, steady_seconds() - running.started);
      at = over ? running_.erase(at) : std::next(at);
    }
  }

  // Whether the store holds all that an arm was to make.
  bool is_made(std::size_t arm) {
    const std::vector<std::string> keys = keys_to_make(plan_.arms[arm]);
    return std::all_of(keys.begin(), keys.end(), [&](const std::string& key) { return is_there(key); });
  }

  void end(std::size_t arm, const Running& running, double seconds) {
    const std::string& name = sweep_.arms[arm].name;
    const int status = running.child->status();
    const Ending& ending = running.ending;
    const bool lost = status == 0 && !options_.launch.empty() && !is_made(arm);
    if (status == 0 && !lost) {
      order_.finished(arm, {});
      ++result_.done;
      record_.set(arm, "done", seconds);
      progress_.ended(name, "done", seconds, "");
      return;
    }
    const bool stopped = status == static_cast<int>(ErrorCode::preempted) ||
                         status == static_cast<int>(ErrorCode::interrupted) || ending.status == "stopped";
    const std::string why =
        lost ? fmt::format(
                   "its launcher ended with status 0, but not all that the arm makes is in {}: the launcher "
                   "ended before the arm did, or the folder is not shared with where the arm ran",
                   store_.root().string())
             : reason(status, ending, running.child->errors());
    order_.finished(arm, stopped ? "" : ending.failed_key);
    if (interruption() == 0) ++result_.failed;
    record_.set(arm, stopped ? "stopped" : "failed", seconds, why);
    progress_.ended(name, stopped ? "stopped" : "failed", seconds, why);
  }

  void set_blocked() {
    for (std::size_t arm = 0; arm < sweep_.arms.size(); ++arm) {
      if (record_.arm(arm).at("status") != Value("waiting")) continue;
      const auto by = order_.blocked_by(arm);
      const std::string why =
          fmt::format("needs a stage that failed in {}", by ? sweep_.arms[*by].name : "another arm");
      ++result_.failed;
      record_.set(arm, "blocked", 0, why);
      progress_.ended(sweep_.arms[arm].name, "blocked", 0, why);
    }
  }

  const Sweep& sweep_;
  const SweepOptions& options_;
  ArtifactStore store_;
  SweepPlan plan_;
  SweepRecord record_;
  SweepOrder order_;
  SweepProgress progress_;
  std::map<std::size_t, Running> running_;
  std::set<std::string> there_;  // keys whose artifacts were found
  bool forwarded_ = false;
  SweepResult result_;
};

}  // namespace

fs::path lock_of_arm(const fs::path& sweep, const std::string& arm) {
  return sweep / arm / "recipe.lock.yaml";
}

SweepResult run_sweep(const LoadedRecipe& loaded, const SweepOptions& options) {
  watch_for_interruption();
  probe_locks(options.runs / artifacts_folder).value();
  try {
    return SweepRun(loaded, options).execute();
  } catch (const fs::filesystem_error& error) {
    throw disk_error("use", error);
  }
}

}  // namespace plumb
