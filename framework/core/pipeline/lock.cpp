#include "framework/core/pipeline/lock.h"

#include <fmt/format.h>

#include <set>

#include "framework/core/artifacts/disk.h"
#include "framework/core/recipe/yaml.h"
#include "framework/core/registry/registry.h"

namespace plumb {
namespace {

Value entry_of(const Registry& registry, const PluginUse& use) {
  Value entry = Value::map({{"id", use.id}, {"version", use.version}, {"sha256", use.sha256}});
  for (const PluginCandidate& candidate : registry.candidates()) {
    if (candidate.id != use.id || candidate.sha256() != use.sha256) continue;
    entry.set("fingerprint", candidate.fingerprint);
    std::error_code failed;
    const std::filesystem::path file = std::filesystem::canonical(candidate.file, failed);
    if (!failed) entry.set("file", file.string());
    break;
  }
  return entry;
}

const Value* plugin_of(const Value& lock, const std::string& id) {
  for (const Value& plugin : lock.at("plugins").as_list()) {
    if (plugin.at("id").as_string() == id) return &plugin;
  }
  return nullptr;
}

std::string version_and_hash(const Value& plugin) {
  return fmt::format("{} with sha256 {}", plugin.at("version").as_string(),
                     plugin.at("sha256").as_string().substr(0, 16));
}

void compare_plugins(const Value& wanted, const Value& now, std::vector<std::string>& out) {
  for (const Value& plugin : now.at("plugins").as_list()) {
    const std::string& id = plugin.at("id").as_string();
    const Value* locked = plugin_of(wanted, id);
    if (locked == nullptr) {
      out.push_back(fmt::format("plugin {}: found {}, wanted none", id, version_and_hash(plugin)));
    } else if (locked->at("sha256").as_string() != plugin.at("sha256").as_string()) {
      out.push_back(
          fmt::format("plugin {}: found {}, wanted {}", id, version_and_hash(plugin), version_and_hash(*locked)));
    }
  }
  for (const Value& plugin : wanted.at("plugins").as_list()) {
    const std::string& id = plugin.at("id").as_string();
    if (plugin_of(now, id) == nullptr)
      out.push_back(fmt::format("plugin {}: found none in use, wanted {}", id, version_and_hash(plugin)));
  }
}

void compare_stages(const Value& wanted, const Value& now, std::vector<std::string>& out) {
  for (const auto& [name, key] : now.at("stages").as_map()) {
    const Value* locked = wanted.at("stages").find(name);
    if (locked == nullptr) {
      out.push_back(fmt::format("stage {}: the lock has none of this name", name));
    } else if (locked->as_string() != key.as_string()) {
      out.push_back(
          fmt::format("stage {}: found the key {}, wanted {}; its parameters, its data or what it is made of "
                      "changed",
                      name, key.as_string().substr(0, 16), locked->as_string().substr(0, 16)));
    }
  }
  for (const auto& [name, key] : wanted.at("stages").as_map()) {
    if (now.at("stages").find(name) == nullptr) out.push_back(fmt::format("stage {}: the recipe has none", name));
  }
}

}  // namespace

Value lock_of(const Recipe& recipe, const Plan& plan, const Registry& registry) {
  std::set<std::string> seen;
  Value::List plugins;
  Value stages = Value::map();
  for (const PlannedStage& stage : plan.stages) {
    stages.set(stage.spec->name, stage.manifest.key);
    for (const PluginUse& use : stage.manifest.plugins) {
      if (!seen.insert(use.id).second) continue;
      plugins.push_back(entry_of(registry, use));
    }
  }
  return Value::map({{"recipe", recipe.name},
                     {"seed", static_cast<std::int64_t>(recipe.seed)},
                     {"plugins", std::move(plugins)},
                     {"stages", std::move(stages)}});
}

Result<Value> read_lock(const std::filesystem::path& file) {
  const Result<std::string> text = read_file(file);
  if (!text) return text.error();
  const YamlDocument document = parse_yaml(*text);
  try {
    if (!document.problems.empty()) throw Error(ErrorCode::data, document.problems.front().message);
    for (const Value& plugin : document.value.at("plugins").as_list()) {
      for (const char* key : {"id", "version", "sha256"}) static_cast<void>(plugin.at(key).as_string());
    }
    for (const auto& [name, key] : document.value.at("stages").as_map()) static_cast<void>(key.as_string());
  } catch (const Error& error) {
    return Error(ErrorCode::data,
                 fmt::format("{} is no lock ({}); wanted a recipe.lock.yaml as `plumb run` writes it into "
                             "the folder of a run",
                             file.string(), error.what()));
  }
  return document.value;
}

std::vector<std::string> lock_differences(const Value& wanted, const Value& now) {
  std::vector<std::string> out;
  compare_plugins(wanted, now, out);
  compare_stages(wanted, now, out);
  return out;
}

}  // namespace plumb
