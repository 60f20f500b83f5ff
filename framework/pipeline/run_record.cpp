#include "framework/pipeline/run_record.h"

#include <fmt/chrono.h>
#include <unistd.h>

#include "framework/artifacts/disk.h"
#include "framework/pipeline/lock.h"
#include "framework/recipe/yaml.h"
#include "framework/registry/registry.h"

namespace plumb {
namespace fs = std::filesystem;

namespace {

Value entry_of(const PlannedStage& stage) {
  return Value::map({{"stage", stage.spec->name},
                     {"kind", stage.spec->kind->kind},
                     {"type", stage.manifest.type},
                     {"key", stage.manifest.key},
                     {"status", stage.state == StageState::unneeded ? "unneeded" : "waiting"}});
}

void drop_links(const fs::path& folder) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.is_symlink()) fs::remove(entry.path(), ignored);
  }
}

}  // namespace

RunRecord::RunRecord(const fs::path& folder, const Recipe& recipe, const std::string& recipe_text, const Plan& plan,
                     const Registry& registry)
    : folder_(fs::absolute(folder).lexically_normal()) {
  fs::create_directories(folder_);
  drop_links(folder_);
  write_file(folder_ / "recipe.yaml", recipe_text).value();
  write_file(folder_ / "recipe.resolved.yaml", write_recipe(recipe)).value();
  write_file(folder_ / "recipe.lock.yaml", write_yaml(lock_of(recipe, plan, registry))).value();
  Value::List stages;
  for (const PlannedStage& stage : plan.stages) stages.push_back(entry_of(stage));
  run_ = Value::map({{"recipe", recipe.name},
                     {"arm", recipe.arm.empty() ? Value() : Value(recipe.arm)},
                     {"file", recipe.file.string()},
                     {"seed", static_cast<std::int64_t>(recipe.seed)},
                     {"status", "running"},
                     {"process", static_cast<std::int64_t>(::getpid())},
                     {"started", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))},
                     {"stages", std::move(stages)}});
  save();
}

void RunRecord::set_running(const std::string& stage, const fs::path& partial) {
  entry(stage).set("status", "running");
  link(stage, partial);
  save();
}

void RunRecord::set_complete(const std::string& stage, const Artifact& artifact, bool cached) {
  Value& out = entry(stage);
  out.set("status", cached ? "cached" : "done");
  out.set("seconds", artifact.manifest.seconds);
  out.set("peak_bytes", static_cast<std::int64_t>(artifact.manifest.peak_bytes));
  out.set("folder", artifact.folder.string());
  link(stage, artifact.folder);
  if (!cached) save();
}

void RunRecord::set_ended(const std::string& stage, const std::string& status) {
  entry(stage).set("status", status);
}

void RunRecord::finish(const std::string& status, double seconds, const std::string& error) {
  run_.set("status", status);
  run_.set("seconds", seconds);
  if (!error.empty()) run_.set("error", error);
  save();
}

Value& RunRecord::entry(const std::string& stage) {
  for (Value& out : run_.find("stages")->as_list()) {
    if (out.at("stage").as_string() == stage) return out;
  }
  throw Error(ErrorCode::run_failed, "the plan holds no stage " + stage);
}

void RunRecord::link(const std::string& stage, const fs::path& target) {
  // By a rename, since another run of the recipe may set the same link now.
  const fs::path fresh = folder_ / fmt::format(".{}.plumb-tmp-{}", stage, ::getpid());
  std::error_code ignored;
  fs::remove(fresh, ignored);
  fs::create_directory_symlink(target.lexically_relative(folder_), fresh);
  fs::rename(fresh, folder_ / stage);
}

void RunRecord::save() const {
  write_file(folder_ / "run.json", to_json(run_, false, 2) + "\n").value();
}

}  // namespace plumb
