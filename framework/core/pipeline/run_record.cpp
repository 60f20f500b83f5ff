#include "framework/core/pipeline/run_record.h"

#include <fmt/chrono.h>
#include <unistd.h>

#include <cerrno>

#include "framework/core/artifacts/disk.h"
#include "framework/core/pipeline/guardian.h"
#include "framework/core/pipeline/lock.h"
#include "framework/core/recipe/yaml.h"
#include "framework/core/registry/registry.h"
#include "framework/core/report/html.h"

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

}  // namespace

RunRecord::RunRecord(const fs::path& folder, const fs::path& store, const Recipe& recipe,
                     const std::string& recipe_text, const Plan& plan, const Registry& registry, const Value& ranks)
    : folder_(fs::absolute(folder).lexically_normal()), earlier_(take_over(folder_, store, recipe, plan).value()) {
  Value::List stages;
  for (const PlannedStage& stage : plan.stages) {
    const auto kept = earlier_.kept.find(stage.spec->name);
    stages.push_back(kept != earlier_.kept.end() ? kept->second : entry_of(stage));
  }
  run_ = Value::map({{"recipe", recipe.name},
                     {"arm", recipe.arm.empty() ? Value() : Value(recipe.arm)},
                     {"file", recipe.file.string()},
                     {"seed", static_cast<std::int64_t>(recipe.seed)},
                     {"status", "running"},
                     {"process", static_cast<std::int64_t>(known_process())},
                     {"started", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))},
                     {"stages", std::move(stages)}});
  if (!ranks.is_null()) run_.set("ranks", ranks);
  fs::create_directories(folder_);
  save();  // before anything else: it is what makes the rest a run's
  std::error_code ignored;
  for (const std::string& stage : earlier_.drop) fs::remove(folder_ / stage, ignored);
  if (earlier_.changes) drop_page();
  write_file(folder_ / "recipe.yaml", recipe_text).value();
  write_file(folder_ / "recipe.resolved.yaml", write_recipe(recipe)).value();
  write_file(folder_ / "recipe.lock.yaml", write_yaml(lock_of(recipe, plan, registry))).value();
}

void RunRecord::drop_page() {
  const fs::path page = folder_ / "report.html";
  std::error_code ignored;
  if (!fs::is_regular_file(page, ignored)) return;
  const Result<std::string> text = read_file(page);
  if (!text || !is_page(*text) || !fs::remove(page, ignored)) return;
  earlier_.notes.push_back(
      fmt::format("{} showed the earlier results and was removed; `plumb report {}` writes it anew", page.string(),
                  folder_.string()));
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
  const fs::path link = folder_ / stage;
  std::error_code ignored;
  fs::remove(fresh, ignored);
  if (::symlink(target.lexically_relative(folder_).c_str(), fresh.c_str()) != 0) throw disk_error("link", link, errno);
  if (::rename(fresh.c_str(), link.c_str()) != 0) throw disk_error("link", link, errno);
}

void RunRecord::save() const {
  write_file(folder_ / "run.json", to_json(run_, false, 2) + "\n").value();
}

}  // namespace plumb
