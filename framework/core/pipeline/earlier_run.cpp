#include "framework/core/pipeline/earlier_run.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <array>

#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/manifest.h"
#include "framework/core/pipeline/guardian.h"
#include "framework/core/recipe/differences.h"
#include "framework/core/recipe/yaml.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

constexpr std::array run_files{"run.json",         "recipe.yaml", "recipe.resolved.yaml",
                               "recipe.lock.yaml", "log.txt",     "report.html"};
constexpr std::array sweep_files{"sweep.json", "recipe.yaml", "results.csv", "results.json", "log.txt", "report.html"};

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

template <class Files>
Names present(const fs::path& folder, const Files& files) {
  Names out;
  for (const auto& name : files) {
    if (is_there(folder / name)) out.emplace_back(name);
  }
  return out;
}

// The record, or null when the file is none: not there, not JSON, or JSON of somebody else.
Value read_record(const fs::path& file, const char* name, const char* list, const char* item) {
  const Result<Value> read = read_json(file);
  if (!read || !read->is_map()) return {};
  const Value *title = read->find(name), *items = read->find(list);
  if (title == nullptr || !title->is_string() || items == nullptr || !items->is_list()) return {};
  const Value::List& entries = items->as_list();
  const bool known = std::all_of(entries.begin(), entries.end(), [&](const Value& entry) {
    const Value *called = entry.is_map() ? entry.find(item) : nullptr,
                *status = entry.is_map() ? entry.find("status") : nullptr;
    return called != nullptr && called->is_string() && status != nullptr && status->is_string();
  });
  return known ? *read : Value();
}

Value read_run_record(const fs::path& folder) {
  return read_record(folder / "run.json", "recipe", "stages", "stage");
}
Value read_sweep_record(const fs::path& folder) {
  return read_record(folder / "sweep.json", "sweep", "arms", "arm");
}

template <class Files>
bool has(const Files& files, const std::string& name) {
  return std::find(files.begin(), files.end(), name) != files.end();
}

Error foreign_files(const fs::path& folder, const Names& names) {
  return Error(ErrorCode::data,
               fmt::format("{} holds {}, which no run made there, so nothing was touched. Choose another folder with "
                           "--runs, give the recipe another `name`, or move {} away",
                           folder.string(), fmt::join(names, ", "), names.size() == 1 ? "it" : "them"));
}

const Value* entry_of(const Value& run, const std::string& stage) {
  if (!run.is_map()) return nullptr;
  for (const Value& entry : run.at("stages").as_list()) {
    if (entry.at("stage").as_string() == stage) return &entry;
  }
  return nullptr;
}

bool points_into(const fs::path& link, const fs::path& store) {
  std::error_code failed;
  const fs::path target = fs::read_symlink(link, failed);
  return !failed && (link.parent_path() / target).lexically_normal().parent_path() == store.lexically_normal();
}

// A stage whose artifact the folder showed.
bool was_shown(const Value& entry) {
  return has(std::array{"done", "cached", "outdated"}, entry.at("status").as_string());
}

bool has_key(const Value& entry, const std::string& key) {
  const Value* was = entry.find("key");
  return was != nullptr && *was == Value(key);
}

// What the link shows now, when it is whole.
std::string shown_key(const fs::path& link) {
  const Result<ArtifactManifest> manifest = read_manifest(link);
  return manifest ? manifest->key : std::string();
}

std::string settings_changed(const fs::path& folder, const Recipe& recipe) {
  const Result<std::string> text = read_file(folder / "recipe.resolved.yaml");
  if (!text) return "unknown settings";
  Names lines = value_differences(parse_yaml(*text).value, parse_yaml(write_recipe(recipe)).value);
  if (lines.empty()) return "other plugins or data";
  constexpr std::size_t shown = 4;
  const std::size_t more = lines.size() > shown ? lines.size() - shown : 0;
  lines.resize(lines.size() - more);
  return fmt::format("{}{}", fmt::join(lines, "; "), more > 0 ? fmt::format("; {} more", more) : "");
}

bool is_at_work(const Value& run) {
  const Value *process = run.find("process"), *status = run.find("status");
  if (process == nullptr || process->type() != Value::Type::integer || status == nullptr) return false;
  const std::int64_t number = process->as_int();
  return *status == Value("running") && number > 0 && number != known_process() &&
         ::kill(static_cast<pid_t>(number), 0) == 0;
}

class TakingOver {
 public:
  TakingOver(const fs::path& folder, const fs::path& store, const Recipe& recipe, const Plan& plan)
      : folder_(folder), store_(store), recipe_(recipe), plan_(plan) {}

  Result<TakenOver> look() {
    if (auto ours = claim(); !ours) return ours.error();
    if (run_.is_map()) compare();
    return std::move(out_);
  }

 private:
  // Names first, record second: a run that begins beside this one writes its record before anything else.
  Result<void> claim() {
    const Names files = present(folder_, run_files);
    Names wanted;
    for (const PlannedStage& stage : plan_.stages) {
      if (stage.state != StageState::unneeded) wanted.push_back(stage.spec->name);
    }
    const Names links = present(folder_, wanted);
    run_ = read_run_record(folder_);
    const bool sweep = read_sweep_record(folder_).is_map();
    Names foreign;
    for (const std::string& file : files) {
      if (!run_.is_map() && !(sweep && has(sweep_files, file))) foreign.push_back(file);
    }
    for (const std::string& link : links) {
      if (entry_of(run_, link) == nullptr || !points_into(folder_ / link, store_)) foreign.push_back(link);
    }
    if (!foreign.empty()) return foreign_files(folder_, foreign);
    return {};
  }

  void compare() {
    for (const Value& entry : run_.at("stages").as_list()) consider(entry);
    for (const PlannedStage& stage : plan_.stages) {
      const Value* entry = entry_of(run_, stage.spec->name);
      const bool same = entry != nullptr && was_shown(*entry) && has_key(*entry, stage.manifest.key);
      out_.changes = out_.changes || (stage.state != StageState::unneeded && !same);
    }
    say();
  }

  void consider(const Value& entry) {
    const std::string& name = entry.at("stage").as_string();
    const fs::path link = folder_ / name;
    if (!points_into(link, store_)) return;
    const PlannedStage* stage = plan_.find(name);
    const bool same = stage != nullptr && has_key(entry, stage->manifest.key);
    const bool left_out = stage != nullptr && stage->state == StageState::unneeded;
    const std::string shown = left_out ? shown_key(link) : std::string();
    if (left_out && !shown.empty()) {
      keep(entry, shown, shown == stage->manifest.key);
    } else if (!same || (left_out && !fs::exists(link))) {
      out_.drop.push_back(name);
      if (was_shown(entry)) replaced_.push_back(name);
    }
  }

  void keep(Value entry, const std::string& key, bool current) {
    const std::string name = entry.at("stage").as_string();
    const bool done = entry.at("status") == Value("done");
    if (!current) outdated_.push_back(name);
    entry.set("status", !current ? "outdated" : done ? "done" : "cached");
    entry.set("key", key);
    out_.kept.emplace(name, std::move(entry));
  }

  void say() {
    out_.changes = out_.changes || !replaced_.empty() || !outdated_.empty();
    if (replaced_.empty() && outdated_.empty()) return;
    const std::string settings = settings_changed(folder_, recipe_);
    const Value* status = run_.find("status");
    const bool finished = status != nullptr && *status == Value("finished");
    if (!replaced_.empty()) {
      out_.notes.push_back(
          fmt::format("{} showed {} with other settings ({}): it shows {} no more; what these were stays in {}. A "
                      "recipe of another `name` keeps both",
                      folder_.string(), finished ? "a finished run" : "a run", settings, fmt::join(replaced_, ", "),
                      store_.string()));
    }
    if (!outdated_.empty()) {
      out_.notes.push_back(
          fmt::format("{} still shows {} as other settings made them ({}); this command leaves them "
                      "out, and so do reports and comparisons",
                      folder_.string(), fmt::join(outdated_, ", "), settings));
    }
    if (is_at_work(run_)) {
      out_.warnings.push_back(
          fmt::format("process {} runs another setting of this recipe in {}; both replace what "
                      "the folder shows. Give one of them another `name`",
                      run_.at("process").as_int(), folder_.string()));
    }
  }

  const fs::path &folder_, &store_;
  const Recipe& recipe_;
  const Plan& plan_;
  Value run_;
  Names replaced_, outdated_;
  TakenOver out_;
};

}  // namespace

Result<TakenOver> take_over(const fs::path& folder, const fs::path& store, const Recipe& recipe, const Plan& plan) {
  return TakingOver(folder, store, recipe, plan).look();
}

Result<void> require_sweep_folder(const fs::path& folder) {
  const Names files = present(folder, sweep_files);
  const bool sweep = read_sweep_record(folder).is_map(), run = read_run_record(folder).is_map();
  Names foreign;
  for (const std::string& file : files) {
    if (!sweep && !(run && has(run_files, file))) foreign.push_back(file);
  }
  if (!foreign.empty()) return foreign_files(folder, foreign);
  return {};
}

}  // namespace plumb
