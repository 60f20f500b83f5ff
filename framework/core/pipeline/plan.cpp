#include "framework/core/pipeline/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "framework/core/artifacts/content_hash.h"
#include "framework/core/artifacts/disk.h"
#include "framework/core/components/choice.h"
#include "framework/core/pipeline/run.h"
#include "framework/core/recipe/differences.h"
#include "framework/core/recipe/dotted_value.h"

namespace plumb {
namespace {

// Dotted names of the path parameters in use, of components too.
class Paths {
 public:
  explicit Paths(const StageSpec& stage) {
    declared(stage.kind->params, stage.params, "");
    for (const ComponentUse& use : stage.components) {
      Value params = stage.params;
      if (const Value* own = find_dotted(params, use.param); own != nullptr && own->is_map()) {
        declared(use.component->info.params, *own, use.param + ".");
      }
    }
  }
  std::vector<std::pair<std::string, std::string>> found;  // name, path

 private:
  void declared(const std::vector<ParamInfo>& infos, const Value& params, const std::string& prefix) {
    for (const ParamInfo& info : infos) {
      const Value* value = params.is_map() ? params.find(info.name) : nullptr;
      if (value == nullptr) continue;
      if (info.type == ParamType::path && value->is_string() && !value->as_string().empty()) {
        found.emplace_back(prefix + info.name, value->as_string());
      }
      if (!info.fields.empty()) declared(info.fields, *value, prefix + info.name + ".");
    }
  }
};

bool is_newer(const StageKind& kind, const Value::Entry& entry) {
  if (std::find(kind.newer.begin(), kind.newer.end(), entry.key) == kind.newer.end()) return false;
  return std::any_of(kind.params.begin(), kind.params.end(), [&](const ParamInfo& info) {
    return info.name == entry.key && info.default_value == entry.value;
  });
}

// The parameters that decide what comes out. Where a component runs does not.
Value params_of_content(const StageSpec& stage) {
  Value params = stage.params;
  if (params.is_map()) {
    std::erase_if(params.as_map(), [&](const Value::Entry& entry) { return is_newer(*stage.kind, entry); });
  }
  for (const ComponentUse& use : stage.components) {
    if (Value* own = find_dotted(params, use.param); own != nullptr)
      *own = without_isolation(use.component->info, *own);
  }
  return params;
}

class Planner {
 public:
  Planner(const Recipe& recipe, const ArtifactStore& store, const FileReading& reading)
      : recipe_(recipe), store_(store), hashes_(store.root() / contents_name), reading_(reading) {}

  Result<Plan> plan(const std::vector<std::string>& targets, bool explained) {
    for (const std::string& target : targets) {
      if (recipe_.find(target) == nullptr) return unknown(target);
    }
    Plan plan;
    for (const StageSpec& stage : recipe_.stages) {
      Result<PlannedStage> planned = describe(stage);
      if (!planned) return planned.error();
      plan.stages.push_back(std::move(*planned));
    }
    decide(plan, {targets.begin(), targets.end()});
    hashes_.save();
    if (explained) explain(plan);
    return plan;
  }

 private:
  Error unknown(const std::string& target) const {
    std::vector<std::string> names;
    for (const StageSpec& stage : recipe_.stages) names.push_back(stage.name);
    const std::string nearest = nearest_name(target, names);
    return {ErrorCode::recipe, fmt::format("the recipe has no stage `{}`; there are: {}{}", target,
                                           fmt::join(names, ", "), nearest.empty() ? "" : "; nearest: " + nearest)};
  }

  Result<PlannedStage> describe(const StageSpec& stage) {
    PlannedStage planned{.spec = &stage};
    ArtifactManifest& m = planned.manifest;
    m.type = stage.output;
    m.recipe = recipe_.name;
    m.stage = stage.name;
    m.stage_kind = stage.kind->kind;
    m.revision = stage.kind->revision;
    m.params = params_of_content(stage);
    for (const auto& [name, path] : Paths(stage).found) {
      std::error_code ignored;
      if (recipe_.files_may_be_absent && !std::filesystem::exists(path, ignored)) {
        m.contents.emplace_back(name, "absent");
        continue;
      }
      Result<std::string> hash = hashes_.of(path, reading_);
      if (!hash) return hash.error();
      m.contents.emplace_back(name, std::move(*hash));
    }
    for (const StageInput& input : stage.inputs) m.inputs.emplace_back(input.param, keys_.at(input.stage));
    for (const ComponentUse& use : stage.components) {
      const PluginCandidate& plugin = *use.component->plugin;
      m.plugins.push_back(
          {plugin.id, plugin.version, plugin.sha256(), use.component->info.kind + " " + use.component->info.name});
    }
    if (!stage.kind->uses_seed || stage.kind->uses_seed(stage.params)) m.seed = recipe_.seed;
    keys_[stage.name] = m.key = content_key(m);
    return planned;
  }

  // From the last stage to the first: one that is asked for, or that a running one reads, is cached or must run. What a
  // cached one was made from belongs to the run, too, where it is still there.
  void decide(Plan& plan, const std::set<std::string>& targets) {
    const auto hash_of = [this](const std::filesystem::path& file) { return hashes_.of(file, reading_); };
    std::set<std::string> wanted = targets, welcome;
    for (auto stage = plan.stages.rbegin(); stage != plan.stages.rend(); ++stage) {
      const std::string& name = stage->spec->name;
      const bool needed = targets.empty() || wanted.count(name) != 0;
      stage->state = needed ? StageState::run : StageState::unneeded;
      if (!needed && welcome.count(name) == 0) continue;
      Result<std::optional<Artifact>> found = store_.find(stage->manifest.key, hash_of);
      if (found && *found) {
        stage->state = StageState::cached;
        stage->artifact = std::move(**found);
      } else if (needed && !found) {
        stage->why.emplace_back(found.error().what());
      }
      std::set<std::string>& sources = stage->state == StageState::run ? wanted : welcome;
      for (const StageInput& input : stage->spec->inputs) sources.insert(input.stage);
    }
  }

  void explain(Plan& plan) const {
    std::vector<ArtifactManifest> all;
    std::map<std::string, std::set<std::string>> last_run;
    bool read = false;
    for (PlannedStage& stage : plan.stages) {
      if (stage.state != StageState::run) continue;
      if (!read) {
        all = store_.all();
        last_run = keys_of_last_run();
      }
      read = true;
      const ArtifactManifest* earlier = most_similar(all, stage.manifest, *stage.spec, last_run[stage.spec->name]);
      if (earlier != nullptr) stage.earlier = *earlier;
      if (!stage.why.empty()) continue;  // damaged
      if (earlier != nullptr) stage.why = differences(*earlier, stage.manifest, *stage.spec);
      if (stage.why.empty()) stage.why.emplace_back("never run");
    }
  }

  // By stage: what the recipe's last run in the folder of this store made or found. It may have been made by another
  // recipe, so that its manifest does not say that this one used it.
  [[nodiscard]] std::map<std::string, std::set<std::string>> keys_of_last_run() const {
    std::map<std::string, std::set<std::string>> out;
    const Result<std::string> text = read_file(run_folder(store_.root().parent_path(), recipe_) / "run.json");
    if (!text) return out;
    try {
      const Value run = parse_json(*text);
      for (const Value& stage : run.at("stages").as_list()) {
        out[stage.at("stage").as_string()].insert(stage.at("key").as_string());
      }
    } catch (const Error&) {  // a damaged record explains nothing
    }
    return out;
  }

  const Recipe& recipe_;
  const ArtifactStore& store_;
  ContentHashes hashes_;
  const FileReading& reading_;
  std::map<std::string, std::string> keys_;
};

}  // namespace

const PlannedStage* Plan::find(const std::string& name) const {
  const auto found =
      std::find_if(stages.begin(), stages.end(), [&](const PlannedStage& s) { return s.spec->name == name; });
  return found == stages.end() ? nullptr : &*found;
}

const PlannedStage* Plan::input_of(const PlannedStage& stage, const std::string& param) const {
  for (const StageInput& input : stage.spec->inputs) {
    if (input.param == param) return find(input.stage);
  }
  return nullptr;
}

std::string content_key(const ArtifactManifest& manifest) {
  Value params = manifest.params;
  for (const auto& [name, hash] : manifest.contents) {
    if (Value* path = find_dotted(params, name)) *path = hash;
  }
  for (const auto& [param, key] : manifest.inputs) erase_dotted(params, param.substr(0, param.find('/')));
  Value::List keys, components;
  for (const auto& [param, key] : manifest.inputs) keys.push_back(Value::list({param, key}));
  for (const PluginUse& use : manifest.plugins) {
    components.push_back(Value::list({use.component, use.id, use.version, use.sha256}));
  }
  const Value identity = Value::map({{"kind", manifest.stage_kind},
                                     {"revision", manifest.revision},
                                     {"params", params.is_map() ? std::move(params) : Value::map()},
                                     {"inputs", Value(std::move(keys))},
                                     {"components", Value(std::move(components))},
                                     {"seed", manifest.seed ? Value(std::to_string(*manifest.seed)) : Value()}});
  return sha256_of(to_json(identity, true));
}

Result<Plan> make_plan(const Recipe& recipe, const ArtifactStore& store, const std::vector<std::string>& targets,
                       bool explain, const FileReading& reading) {
  return Planner(recipe, store, reading).plan(targets, explain);
}

}  // namespace plumb
