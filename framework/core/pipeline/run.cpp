#include "framework/core/pipeline/run.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/file_system_error.h"
#include "framework/core/pipeline/estimate.h"
#include "framework/core/pipeline/guardian.h"
#include "framework/core/pipeline/interruption.h"
#include "framework/core/pipeline/run_record.h"
#include "framework/core/pipeline/running_stage.h"
#include "framework/core/telemetry/memory.h"
#include "framework/core/telemetry/rate.h"
#include "framework/core/telemetry/text.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

bool is_stop(const Error& error) {
  return error.code() == ErrorCode::preempted || error.code() == ErrorCode::interrupted;
}

// Turns what a body threw into an Error that names the stage.
[[noreturn]] void rethrow_of(const std::string& stage) {
  const std::string where = fmt::format("stage `{}`: ", stage);
  try {
    throw;
  } catch (const Cancelled&) {
    throw Error(interruption_code(), fmt::format("stopped in stage `{}`; the same command goes on from there", stage));
  } catch (const Error& error) {
    const std::string what = error.what();
    throw Error(error.code(), what.starts_with(where) || is_stop(error) ? what : where + what);
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorCode::data, where + disk_error("use", error).what());
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::run_failed, where + "out of memory; a smaller model or micro_batch_size needs less");
  } catch (const std::exception& error) {
    throw Error(ErrorCode::run_failed, where + first_line(error.what()));
  }
}

// "0.4 s, peak 512 MiB, pairs 812, delta 1.73; left out 3 of 815 pairs: …": what it cost, the first plain numbers of
// the summary, and what became of the rows that are not among them.
std::string outcome_of(const ArtifactManifest& manifest) {
  std::string out = fmt::format("{:.1f} s, peak {}", manifest.seconds, in_bytes(manifest.peak_bytes));
  std::size_t shown = 0;
  if (!manifest.summary.is_map()) return out;
  for (const auto& [name, value] : manifest.summary.as_map()) {
    const bool number = value.type() == Value::Type::integer || value.type() == Value::Type::real;
    if (number && ++shown <= 4) out += fmt::format(", {} {}", name, show_value(value));
  }
  const RowAccount account = RowAccount::of_summary(manifest.summary);
  return account.empty() ? out : out + "; " + account.line();
}

// Bytes that the stages to be run are likely to write, as far as configurations and earlier artifacts tell.
std::uint64_t foreseen_bytes(const Plan& plan, const std::map<std::string, StageEstimate>& estimates) {
  std::uint64_t bytes = 0;
  for (const PlannedStage& stage : plan.stages) {
    if (stage.state != StageState::run) continue;
    std::uint64_t earlier = 0;
    if (stage.earlier) {
      for (const ArtifactFile& file : stage.earlier->files) earlier += file.target.empty() ? file.size : 0;
    }
    bytes += std::max(earlier, estimates.at(stage.spec->name).disk_bytes.value_or(0));
  }
  return bytes;
}

class Run {
 public:
  Run(const Recipe& recipe, const std::string& recipe_text, const Registry& registry, const RunOptions& options)
      : recipe_(recipe),
        registry_(registry),
        here_(run_in_this_process()),
        runner_(options.runner == nullptr ? *here_ : *options.runner),
        store_(options.runs / artifacts_folder),
        plan_(make_plan(recipe, store_, options.until, true, show_reading(options.form)).value()),
        record_(run_folder(options.runs, recipe), store_.root(), recipe, recipe_text, plan_, registry, options.ranks),
        progress_({.form = options.form, .log_file = run_folder(options.runs, recipe) / "log.txt"}) {
    result_.folder = run_folder(options.runs, recipe);
  }

  RunResult execute() {
    const double start = steady_seconds();
    const auto spent = [&] { return steady_seconds() - start; };
    announce();
    try {
      for (const PlannedStage& stage : plan_.stages) pass(stage);
    } catch (const Error& error) {
      const std::string status = is_stop(error) ? "stopped" : "failed";
      progress_.message(LogLevel::debug, fmt::format("{}: {}", status, error.what()));
      try {
        finish(status, spent(), error.what());
      } catch (const Error& second) {  // the disk is full, say: what went wrong first is what to show
        progress_.message(LogLevel::warning, second.what());
      }
      throw;
    }
    finish("finished", spent());
    result_.seconds = spent();
    return result_;
  }

 private:
  void announce() {
    for (const std::string& warning : record_.warnings()) progress_.message(LogLevel::warning, warning);
    for (const std::string& note : record_.notes()) progress_.message(LogLevel::info, note);
    std::string cached;
    for (const PlannedStage& stage : plan_.stages) {
      if (stage.state == StageState::run) {
        ++total_;
        estimates_.emplace(stage.spec->name, estimate(stage, plan_));
      }
      if (stage.state == StageState::cached) cached += (cached.empty() ? "" : ", ") + stage.spec->name;
    }
    if (!cached.empty()) progress_.message(LogLevel::info, "from cache: " + cached);
    const std::uint64_t foreseen = foreseen_bytes(plan_, estimates_), free = free_bytes(store_.root());
    if (foreseen > free) {
      progress_.message(LogLevel::warning, fmt::format("{} are free in {}, and this run is likely to write {}",
                                                       in_bytes(free), store_.root().string(), in_bytes(foreseen)));
    }
    warn_of_memory();
  }

  // Estimates leave out activations, so what is said to be too much is.
  void warn_of_memory() {
    const std::uint64_t at_hand = memory_at_hand();
    for (const PlannedStage& stage : plan_.stages) {
      if (stage.state != StageState::run) continue;
      const StageEstimate& needed = estimates_.at(stage.spec->name);
      if (needed.gpu || needed.memory_bytes.value_or(0) <= at_hand) continue;
      progress_.message(LogLevel::warning,
                        fmt::format("stage `{}` is estimated at {} of memory, and {} are at hand: the kernel is likely "
                                    "to kill it; `plumb plan` shows what each stage needs",
                                    stage.spec->name, in_bytes(*needed.memory_bytes), in_bytes(at_hand)));
    }
  }

  void finish(const std::string& status, double seconds, const std::string& error = {}) {
    record_.finish(status, seconds, error);
    Value event = Value::map({{"event", "run-finished"}, {"status", status}, {"seconds", seconds}});
    if (!error.empty()) event.set("error", error);
    progress_.event(event);
  }

  void pass(const PlannedStage& stage) {
    if (stage.state == StageState::unneeded) return;
    if (stage.state == StageState::cached) {
      take(stage, *stage.artifact, true);
      return;
    }
    const std::string& name = stage.spec->name;
    if (interruption() != 0) {
      throw Error(interruption_code(), fmt::format("stopped before stage `{}`; the same command goes on there", name));
    }
    progress_.stage_started(name, ++number_, total_);
    note_running(running_now(stage));
    try {
      make(stage);
    } catch (...) {
      try {
        rethrow_of(name);
      } catch (const Error& error) {
        record_.set_ended(name, is_stop(error) ? "stopped" : "failed");
        progress_.stage_finished(name, is_stop(error) ? "stopped" : "failed");
        throw;
      }
    }
  }

  [[nodiscard]] RunningNow running_now(const PlannedStage& stage) const {
    std::set<std::string> plugins;
    for (const PluginUse& use : stage.manifest.plugins) plugins.insert(use.id + " " + use.version);
    const auto memory = estimates_.at(stage.spec->name).memory_bytes;
    return {stage.spec->name, fmt::format("{}", fmt::join(plugins, ", ")), memory ? "~" + in_bytes(*memory) : ""};
  }

  // An artifact is there: whoever made it, it becomes an input of what follows and part of the result.
  void take(const PlannedStage& stage, Artifact artifact, bool cached) {
    const std::string& name = stage.spec->name;
    record_.set_complete(name, artifact, cached);
    ++(cached ? result_.cached : result_.ran);
    if (artifact.manifest.type == artifact_type::report) {
      result_.reports.push_back({result_.folder / name, artifact.folder});
    }
    if (artifact.manifest.type == artifact_type::model && stage.spec->section == "stages") {
      result_.models.push_back(name);
    }
    artifacts_.emplace(name, std::move(artifact));
  }

  void make(const PlannedStage& stage) {
    const std::string& name = stage.spec->name;
    ArtifactWriter writer = begin(stage);
    if (writer.finished() != nullptr) {
      progress_.stage_finished(name, "made by another run meanwhile");
      take(stage, *writer.finished(), true);
      return;
    }
    if (!writer.damage().empty()) progress_.message(LogLevel::warning, name + ": " + writer.damage());
    record_.set_running(name, writer.folder());
    if (writer.resumed()) progress_.message(LogLevel::info, name + ": goes on where an interrupted run stopped");
    reset_peak_memory();
    const double start = steady_seconds();
    ArtifactManifest manifest = stage.manifest;
    {
      RunningStage context({recipe_, stage, registry_, artifacts_, progress_}, writer);
      std::map<std::string, fs::path> inputs;
      for (const StageInput& in : stage.spec->inputs) inputs.emplace(in.stage, artifacts_.at(in.stage).folder);
      runner_.run({*stage.spec->kind, context, std::move(inputs)});
      context.close();
      manifest.summary = context.summary();
    }
    manifest.seconds = steady_seconds() - start;
    manifest.peak_bytes = peak_memory();
    Artifact artifact = writer.commit(std::move(manifest)).value();
    progress_.stage_finished(name, outcome_of(artifact.manifest));
    if (const Value* rows = artifact.manifest.summary.find(RowAccount::key); rows != nullptr) {
      progress_.event(Value::map({{"event", "rows"}, {"stage", name}, {"account", *rows}}));
    }
    take(stage, std::move(artifact), false);
  }

  ArtifactWriter begin(const PlannedStage& stage) {
    std::string told;
    const auto keep_waiting = [&](const std::string& holder) {
      if (holder != told) {
        progress_.message(LogLevel::info,
                          fmt::format("{}: another process is making it; waiting for {}", stage.spec->name, holder));
      }
      told = holder;
      return interruption() == 0;
    };
    Result<ArtifactWriter> writer = store_.begin(stage.manifest.key, stage.manifest.type, keep_waiting);
    if (!writer && is_stop(writer.error())) throw Cancelled{};
    return std::move(writer).value();
  }

  const Recipe& recipe_;
  const Registry& registry_;
  std::unique_ptr<StageRunner> here_;
  StageRunner& runner_;
  ArtifactStore store_;
  Plan plan_;
  RunRecord record_;
  Progress progress_;
  std::map<std::string, Artifact> artifacts_;
  std::map<std::string, StageEstimate> estimates_;  // of the stages to be run
  std::size_t number_ = 0, total_ = 0;
  RunResult result_;
};

}  // namespace

fs::path run_folder(const fs::path& runs, const Recipe& recipe) {
  return recipe.arm.empty() ? runs / recipe.name : runs / recipe.name / recipe.arm;
}

RunResult run_recipe(const Recipe& recipe, const std::string& recipe_text, const Registry& registry,
                     const RunOptions& options) {
  if (recipe.files_may_be_absent)
    throw Error(ErrorCode::recipe, "a recipe that was checked without its files cannot run");
  watch_for_interruption();
  probe_locks(options.runs / artifacts_folder).value();
  try {
    return Run(recipe, recipe_text, registry, options).execute();
  } catch (const fs::filesystem_error& error) {
    throw disk_error("use", error);
  }
}

}  // namespace plumb
