// `plumb show RUN`: what each stage of a run produced, or each arm of a sweep.
#include <fmt/format.h>

#include <boost/program_options/value_semantic.hpp>
#include <filesystem>
#include <iostream>

#include "framework/core/artifacts/artifact.h"
#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/manifest.h"
#include "framework/core/telemetry/output.h"
#include "framework/core/telemetry/row_account.h"
#include "framework/core/telemetry/text.h"
#include "tools/cli/run_folder.h"
#include "tools/cli/show_sweep.h"
#include "tools/cli/verb.h"

namespace plumb::cli {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

// What is there of a stage: its manifest, and where its files lie. A stage whose artifact was deleted has no manifest.
void add_manifest(Value& stage, const fs::path& folder) {
  const std::string& status = stage.at("status").as_string();
  if (status != "done" && status != "cached") return;
  const fs::path link = folder / stage.at("stage").as_string();
  stage.set("link", link.string());
  const Result<ArtifactManifest> manifest = read_manifest(link);
  if (manifest) {
    stage.set("manifest", manifest_value(*manifest));
  } else {
    stage.set("missing", manifest.error().what());
  }
}

void print_summary(const Value& summary) {
  if (!summary.is_map()) return;
  for (const auto& [key, value] : summary.as_map()) {
    if (key == RowAccount::key) continue;
    std::cout << fmt::format("  {:<24} {}\n", key, show_value(value));
  }
  for (const std::string& line : RowAccount::of_summary(summary).lines()) std::cout << "  " << printable(line) << "\n";
}

void print_stage(const Value& stage) {
  std::cout << fmt::format("\n{} ({} -> {}): {}\n", stage.at("stage").as_string(), stage.at("kind").as_string(),
                           stage.at("type").as_string(), stage.at("status").as_string());
  if (const Value* missing = stage.find("missing")) std::cout << "  " << missing->as_string() << "\n";
  const Value* manifest = stage.find("manifest");
  if (manifest == nullptr) return;
  std::cout << fmt::format("  {:<24} {}\n", "folder", stage.at("link").as_string());
  std::cout << fmt::format("  {:<24} {}\n", "key", stage.at("key").as_string().substr(0, 16));
  std::cout << fmt::format("  {:<24} {:.1f} s, peak {}\n", "made in", manifest->at("seconds").as_double(),
                           in_bytes(static_cast<std::uint64_t>(manifest->at("peak_bytes").as_int())));
  std::uint64_t bytes = 0;
  std::size_t own = 0, linked = 0;
  for (const Value& file : manifest->at("files").as_list()) {
    const bool link = file.find("target") != nullptr;  // of a model that lies elsewhere
    ++(link ? linked : own);
    if (!link) bytes += static_cast<std::uint64_t>(file.at("size").as_int());
  }
  std::cout << fmt::format("  {:<24} {}, {}{}\n", "files", own, in_bytes(bytes),
                           linked == 0 ? "" : fmt::format(", and links to {} of a model", linked));
  print_summary(manifest->at("summary"));
}

void print_run(const Value& run) {
  std::cout << fmt::format("{}: {}, seed {}, started {}", run.at("recipe").as_string(), run.at("status").as_string(),
                           run.at("seed").as_int(), run.at("started").as_string());
  if (const Value* seconds = run.find("seconds")) std::cout << fmt::format(", took {:.1f} s", seconds->as_double());
  std::cout << "\n";
  if (const Value* error = run.find("error")) std::cout << "error: " << error->as_string() << "\n";
  for (const Value& stage : run.at("stages").as_list()) print_stage(stage);
}

}  // namespace

int run_show(int argc, char** argv) {
  po::options_description options("Options");
  options.add_options()("run", po::value<std::string>()->required(),
                        "the folder of a run or a sweep, such as runs/quickstart")("json", "print JSON");
  const auto given = parse_verb(
      argc, argv,
      {"RUN [--json]",
       "Shows what each stage of a run produced: type, counts, time, memory and folder. Of a sweep: its arms with\n"
       "status, seed and failure, the stages that they share, and where its results and report lie."},
      options, {"run"});
  if (!given) return 0;
  const fs::path folder = (*given)["run"].as<std::string>();
  if (is_sweep(folder)) {
    show_sweep(folder, given->count("json") != 0);
    return 0;
  }
  Value run = read_run(folder);
  for (Value& stage : run.find("stages")->as_list()) add_manifest(stage, folder);
  if (given->count("json") != 0) {
    unfiltered_output() << to_json(run, false, 2) << "\n";
  } else {
    print_run(run);
  }
  return 0;
}

}  // namespace plumb::cli
