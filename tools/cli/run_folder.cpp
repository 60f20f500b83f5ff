#include "tools/cli/run_folder.h"

#include <fmt/format.h>

#include "framework/artifacts/disk.h"

namespace plumb::cli {
namespace fs = std::filesystem;

Value read_run(const fs::path& folder) {
  if (!fs::exists(folder / "run.json")) {
    throw Error(ErrorCode::data, fmt::format("{} is no run: it holds no run.json. Runs lie in `runs/NAME`, "
                                             "where `plumb run` put them",
                                             folder.string()));
  }
  Value run = read_json(folder / "run.json").value();
  // A killed process cannot say that it ended.
  if (run.at("status").as_string() == "running" && !fs::exists(fmt::format("/proc/{}", run.at("process").as_int()))) {
    run.set("status", "killed");
  }
  return run;
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
