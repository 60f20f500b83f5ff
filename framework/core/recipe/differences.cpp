#include "framework/core/recipe/differences.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace plumb {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

const std::string* find(const Pairs& pairs, const std::string& name) {
  const auto found = std::find_if(pairs.begin(), pairs.end(), [&](const auto& p) { return p.first == name; });
  return found == pairs.end() ? nullptr : &found->second;
}

// Every leaf of the parameters under its dotted name; unset ones are left out. Empty maps and lists are leaves.
void flatten(const Value& value, const std::string& name, std::map<std::string, Value>& out) {
  if (value.is_null()) return;
  if (value.is_map() && !value.as_map().empty()) {
    for (const auto& [key, item] : value.as_map()) flatten(item, name.empty() ? key : name + "." + key, out);
  } else {
    out[name] = value;
  }
}

std::set<std::string> names_not_compared(const ArtifactManifest& manifest) {
  std::set<std::string> out;
  for (const auto& [param, key] : manifest.inputs) out.insert(param.substr(0, param.find('/')));
  for (const auto& [param, hash] : manifest.contents) out.insert(param);
  return out;
}

std::string shown(const Value* value) {
  if (value == nullptr) return "unset";
  return value->is_string() && !value->as_string().empty() ? value->as_string() : to_json(*value);
}

// Dotted names of `skipped` are left out.
void compare_values(const Value& was_tree, const Value& is_tree, const std::set<std::string>& skipped,
                    const std::string& prefix, std::vector<std::string>& out) {
  std::map<std::string, Value> before, after;
  flatten(was_tree, "", before);
  flatten(is_tree, "", after);
  std::set<std::string> names;
  for (const auto& [name, value] : before) names.insert(name);
  for (const auto& [name, value] : after) names.insert(name);
  const auto at = [](const std::map<std::string, Value>& values, const std::string& name) {
    const auto found = values.find(name);
    return found == values.end() ? nullptr : &found->second;
  };
  // Another component, or kind of stage, has other parameters: its name says it all.
  std::map<std::string, std::string> replaced;  // "stages.pairs.policy." -> "stages.pairs.policy.name"
  for (const std::string& name : names) {
    const std::size_t dot = name.rfind('.');
    if (dot == std::string::npos || (name.substr(dot) != ".name" && name.substr(dot) != ".stage")) continue;
    const Value *was = at(before, name), *is = at(after, name);
    if (was != nullptr && is != nullptr && !(*was == *is)) replaced.emplace(name.substr(0, dot + 1), name);
  }
  for (const std::string& name : names) {
    const Value *was = at(before, name), *is = at(after, name);
    if (skipped.count(name) != 0 || (was != nullptr && is != nullptr && *was == *is)) continue;
    const bool detail = std::any_of(replaced.begin(), replaced.end(), [&](const auto& component) {
      return name.starts_with(component.first) && name != component.second;
    });
    if (!detail) out.push_back(fmt::format("{}{} {} -> {}", prefix, name, shown(was), shown(is)));
  }
}

void compare_params(const ArtifactManifest& earlier, const ArtifactManifest& now, const std::string& prefix,
                    std::vector<std::string>& out) {
  std::set<std::string> skipped = names_not_compared(earlier);
  skipped.merge(names_not_compared(now));
  compare_values(earlier.params, now.params, skipped, prefix, out);
}

void compare_inputs(const ArtifactManifest& earlier, const ArtifactManifest& now, const StageSpec& spec,
                    std::vector<std::string>& out) {
  std::set<std::string> said;
  for (const auto& [param, key] : now.inputs) {
    const auto input = std::find_if(spec.inputs.begin(), spec.inputs.end(),
                                    [&name = param](const StageInput& i) { return i.param == name; });
    const std::string& stage = input == spec.inputs.end() ? param : input->stage;
    const std::string* was = find(earlier.inputs, param);
    if (was != nullptr && *was == key) continue;
    if (said.insert(stage).second)
      out.push_back(fmt::format("input {} {}", stage, was == nullptr ? "added" : "changed"));
  }
  for (const auto& [param, key] : earlier.inputs) {
    if (find(now.inputs, param) == nullptr) out.push_back(fmt::format("input {} removed", param));
  }
}

void compare_plugins(const ArtifactManifest& earlier, const ArtifactManifest& now, std::vector<std::string>& out) {
  std::set<std::string> said;
  for (const PluginUse& use : now.plugins) {
    const auto was = std::find_if(earlier.plugins.begin(), earlier.plugins.end(),
                                  [&](const PluginUse& p) { return p.component == use.component; });
    if (was == earlier.plugins.end() || was->sha256 == use.sha256 || !said.insert(use.id).second) continue;
    out.push_back(was->id != use.id ? fmt::format("plugin {} -> {}", was->id, use.id)
                  : was->version != use.version
                      ? fmt::format("plugin {} changed, version {} -> {}", use.id, was->version, use.version)
                      : fmt::format("plugin {} changed", use.id));
  }
}

}  // namespace

std::vector<std::string> differences(const ArtifactManifest& earlier, const ArtifactManifest& now,
                                     const StageSpec& spec) {
  const std::string prefix = spec.section + "." + spec.name + ".";
  std::vector<std::string> out;
  compare_params(earlier, now, prefix, out);
  compare_inputs(earlier, now, spec, out);
  for (const auto& [param, hash] : now.contents) {
    const std::string* was = find(earlier.contents, param);
    if (was == nullptr || *was != hash) out.push_back(fmt::format("what {}{} names changed", prefix, param));
  }
  compare_plugins(earlier, now, out);
  const auto number = [](const std::optional<std::uint64_t>& seed) { return seed ? std::to_string(*seed) : "unused"; };
  if (earlier.seed != now.seed) out.push_back(fmt::format("seed {} -> {}", number(earlier.seed), number(now.seed)));
  if (earlier.revision != now.revision) {
    out.push_back(
        fmt::format("the code of {} changed, revision {} -> {}", now.stage_kind, earlier.revision, now.revision));
  }
  return out;
}

std::vector<std::string> value_differences(const Value& before, const Value& after) {
  std::vector<std::string> out;
  compare_values(before, after, {}, "", out);
  return out;
}

const ArtifactManifest* most_similar(const std::vector<ArtifactManifest>& all, const ArtifactManifest& now,
                                     const StageSpec& spec, const std::set<std::string>& used) {
  const ArtifactManifest* best = nullptr;
  std::size_t least = 0;
  for (const ArtifactManifest& candidate : all) {
    const bool own = candidate.recipe == now.recipe && candidate.stage == now.stage;
    if (candidate.stage_kind != now.stage_kind || (!own && used.count(candidate.key) == 0)) continue;
    const std::size_t distance = differences(candidate, now, spec).size();
    if (best != nullptr && distance >= least) continue;
    best = &candidate;
    least = distance;
  }
  return best;
}

}  // namespace plumb
