#include "tools/cli/run_folder.h"

#include <fmt/format.h>

#include "framework/core/artifacts/run_files.h"

namespace plumb::cli {
namespace fs = std::filesystem;
namespace {

bool says_it_runs(const Value& record) {
  return record.at("status").as_string() == "running";
}

bool is_gone(const Value& record) {
  return !fs::exists(fmt::format("/proc/{}", record.at("process").as_int()));
}

}  // namespace

Value read_run(const fs::path& folder) {
  if (!fs::exists(folder / "run.json")) {
    throw Error(ErrorCode::data, fmt::format("{} is no run: it holds no run.json. Runs lie in `runs/NAME`, "
                                             "where `plumb run` put them",
                                             folder.string()));
  }
  Value run = read_run_file(folder).value();
  // A killed process cannot say that it ended.
  if (says_it_runs(run) && is_gone(run)) run.set("status", "killed");
  return run;
}

bool is_sweep(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / "sweep.json", ignored);
}

Value read_sweep(const fs::path& folder) {
  Value sweep = read_sweep_file(folder).value();
  if (!says_it_runs(sweep) || !is_gone(sweep)) return sweep;
  sweep.set("status", "killed");
  for (Value& arm : sweep.find("arms")->as_list()) {
    if (says_it_runs(arm)) arm.set("status", "killed");
  }
  return sweep;
}

std::vector<std::pair<std::string, Artifact>> run_artifacts(const Value& run, const fs::path& folder) {
  std::vector<std::pair<std::string, Artifact>> artifacts;
  for (const Value& stage : run.at("stages").as_list()) {
    const std::string &name = stage.at("stage").as_string(), &status = stage.at("status").as_string();
    if (status != "done" && status != "cached") continue;
    Result<ArtifactManifest> manifest = read_manifest(folder / name);
    if (manifest) artifacts.emplace_back(name, Artifact{folder / name, std::move(*manifest)});
  }
  return artifacts;
}

}  // namespace plumb::cli
