#include "tools/cli/show_sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <set>

#include "framework/core/artifacts/artifact.h"
#include "framework/core/pipeline/run.h"
#include "framework/core/telemetry/output.h"
#include "framework/core/telemetry/progress.h"
#include "framework/core/telemetry/text.h"
#include "tools/cli/run_folder.h"

namespace plumb::cli {
namespace {

namespace fs = std::filesystem;

// A stage of this name over all arms.
struct Shared {
  std::string name, kind;
  std::size_t arms = 0;              // that need it
  std::set<std::string> keys, made;  // different ones, and those of them that are there
};

// Keys of the artifacts that are there, each with those it was made from.
using Made = std::map<std::string, std::vector<std::string>>;

Made made_in(const fs::path& runs) {
  Made out;
  for (const ArtifactManifest& manifest : ArtifactStore(runs / artifacts_folder).all()) {
    for (const auto& [param, key] : manifest.inputs) out[manifest.key].push_back(key);
    out.try_emplace(manifest.key);
  }
  return out;
}

// Keys of the stages that an arm rests on. Its run calls those unneeded that were gone while what is made from them was
// cached.
std::set<std::string> needed_by(const Value& run, const Made& made) {
  std::vector<std::string> open;
  for (const Value& stage : run.at("stages").as_list()) {
    if (stage.at("status") != Value("unneeded") && stage.at("status") != Value("outdated"))
      open.push_back(stage.at("key").as_string());
  }
  std::set<std::string> out;
  while (!open.empty()) {
    const std::string key = std::move(open.back());
    open.pop_back();
    const auto from = made.find(key);
    if (!out.insert(key).second || from == made.end()) continue;
    open.insert(open.end(), from->second.begin(), from->second.end());
  }
  return out;
}

void count(std::vector<Shared>& stages, const Value& run, const Made& made) {
  const std::set<std::string> needed = needed_by(run, made);
  for (const Value& stage : run.at("stages").as_list()) {
    const std::string &name = stage.at("stage").as_string(), &key = stage.at("key").as_string();
    if (!needed.contains(key)) continue;
    auto row = std::find_if(stages.begin(), stages.end(), [&](const Shared& s) { return s.name == name; });
    if (row == stages.end()) row = stages.insert(row, {name, stage.at("kind").as_string(), 0, {}, {}});
    ++row->arms;
    row->keys.insert(key);
    if (made.contains(key)) row->made.insert(key);
  }
}

// Of the arms that have begun; where they lie and which stage failed is added to them.
std::vector<Shared> read_arms(Value& sweep, const fs::path& folder) {
  const Made made = made_in(fs::canonical(folder).parent_path());
  std::vector<Shared> stages;
  for (Value& arm : sweep.find("arms")->as_list()) {
    const fs::path at = folder / arm.at("arm").as_string();
    if (!fs::exists(at / "run.json")) continue;
    const Value run = read_run(at);
    arm.set("folder", at.string());
    for (const Value& stage : run.at("stages").as_list()) {
      if (stage.at("status") == Value("failed")) arm.set("failed_stage", stage.at("stage"));
    }
    count(stages, run, made);
  }
  return stages;
}

Value to_value(const std::vector<Shared>& stages) {
  Value::List out;
  for (const Shared& stage : stages) {
    out.push_back(Value::map({{"stage", stage.name},
                              {"kind", stage.kind},
                              {"arms", static_cast<std::int64_t>(stage.arms)},
                              {"different", static_cast<std::int64_t>(stage.keys.size())},
                              {"made", static_cast<std::int64_t>(stage.made.size())}}));
  }
  return out;
}

// An error of a stage names it itself; one of a plugin's may not.
std::string why_of(const Value& arm) {
  const Value *stage = arm.find("failed_stage"), *error = arm.find("error");
  if (error == nullptr) return "";
  const std::string& text = error->as_string();
  const bool named = stage == nullptr || text.find(stage->as_string()) != std::string::npos;
  return named ? text : stage->as_string() + ": " + text;
}

std::string counts(const Value& sweep) {
  std::vector<std::pair<std::string, std::size_t>> by_status;
  for (const Value& arm : sweep.at("arms").as_list()) {
    const std::string& status = arm.at("status").as_string();
    auto found =
        std::find_if(by_status.begin(), by_status.end(), [&](const auto& known) { return known.first == status; });
    if (found == by_status.end()) found = by_status.insert(found, {status, 0});
    ++found->second;
  }
  std::string out = fmt::format("{} arms", sweep.at("arms").as_list().size());
  for (const auto& [status, arms] : by_status) out += fmt::format(", {} {}", arms, status);
  return out;
}

void print(const Value& sweep, const std::vector<Shared>& stages, const fs::path& folder) {
  std::string out = fmt::format("{}: a sweep, {}: {}; started {}", sweep.at("sweep").as_string(),
                                sweep.at("status").as_string(), counts(sweep), sweep.at("started").as_string());
  if (const Value* seconds = sweep.find("seconds")) out += ", took " + show_duration(seconds->as_double());
  Table arms{{"arm", "seed", "status", "took", "why"}, {}};
  for (const Value& arm : sweep.at("arms").as_list()) {
    const Value* seconds = arm.find("seconds");
    arms.rows.push_back({arm.at("arm").as_string(), std::to_string(arm.at("seed").as_int()),
                         arm.at("status").as_string(), seconds == nullptr ? "" : show_duration(seconds->as_double()),
                         why_of(arm)});
  }
  out += "\n\n" + to_text(arms, "");
  std::size_t needed = 0, different = 0, made = 0;
  Table table{{"stage", "kind", "arms", "different", "made"}, {}};
  for (const Shared& stage : stages) {
    needed += stage.arms, different += stage.keys.size(), made += stage.made.size();
    table.rows.push_back({stage.name, stage.kind, std::to_string(stage.arms), std::to_string(stage.keys.size()),
                          std::to_string(stage.made.size())});
  }
  if (!stages.empty()) {
    out += "\n" + to_text(table, "") +
           fmt::format("\nthe arms that have begun need {} stages, {} of them different: {} are made\n", needed,
                       different, made);
  }
  for (const char* file : {"results.csv", "report.html"}) {
    if (fs::exists(folder / file)) out += fmt::format("{}: {}\n", file, (folder / file).string());
  }
  if (!fs::exists(folder / "report.html")) out += fmt::format("no report yet: plumb report {}\n", folder.string());
  out += fmt::format("one arm: plumb show {}\n",
                     (folder / sweep.at("arms").as_list().front().at("arm").as_string()).string());
  std::cout << printable(out);
}

}  // namespace

void show_sweep(const fs::path& folder, bool json) {
  Value sweep = read_sweep(folder);
  const std::vector<Shared> stages = read_arms(sweep, folder);
  if (!json) return print(sweep, stages, folder);
  sweep.set("stages", to_value(stages));
  for (const char* file : {"results.csv", "report.html"}) {
    sweep.set(file, fs::exists(folder / file) ? Value((folder / file).string()) : Value());
  }
  unfiltered_output() << to_json(sweep, false, 2) << "\n";
}

}  // namespace plumb::cli
