#include "tools/cli/run_guards.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/pipeline/lock.h"
#include "framework/core/ranks/place.h"

namespace plumb::cli {
namespace {

namespace fs = std::filesystem;

bool lies_in(const fs::path& file, const fs::path& folder) {
  std::error_code error;
  const fs::path inner = fs::weakly_canonical(file, error).lexically_relative(fs::weakly_canonical(folder, error));
  return !inner.empty() && *inner.begin() != "..";
}

}  // namespace

bool is_trusted(const LoadedRecipe& loaded, const fs::path& plugin) {
  const auto& named = loaded.source.plugins;
  if (std::find(named.begin(), named.end(), plugin) == named.end()) return true;
  std::vector<fs::path> trusted = PluginSearch::standard().folders;
  trusted.push_back(fs::absolute(loaded.source.file).parent_path());
  return std::any_of(trusted.begin(), trusted.end(), [&](const fs::path& folder) { return lies_in(plugin, folder); });
}

// Running a recipe runs the plugins that it names. Those beside it are as much the user's choice as the recipe itself
// is; others must be in a folder that is searched anyway.
void require_trust(const LoadedRecipe& loaded) {
  for (const fs::path& plugin : loaded.source.plugins) {
    if (is_trusted(loaded, plugin)) continue;
    throw Error(
        ErrorCode::recipe,
        fmt::format("the recipe names the plugin {}, which lies neither beside it nor in a folder that plugins are "
                    "searched in. A plugin is native code and runs with your rights; if you trust this one, add "
                    "--trust",
                    plugin.string()));
  }
}

void require_one_process(const std::string& verb) {
  const Place place = place_from_environment();
  if (place.world == 1) return;
  throw Error(ErrorCode::recipe,
              fmt::format("{} started {} processes of `plumb {}`, and each would do all of it. Start it once, without "
                          "the launcher; `plumb run` is what works on several ranks",
                          place.launcher, place.world, verb));
}

void require_lock(const Recipe& recipe, const Plan& plan, const Registry& registry, const fs::path& lock) {
  const auto differences = lock_differences(read_lock(lock).value(), lock_of(recipe, plan, registry));
  if (differences.empty()) return;
  std::string text = fmt::format("--locked: this run would not be the one of {}", lock.string());
  for (const std::string& difference : differences) text += "\n  " + difference;
  throw Error(ErrorCode::recipe, text);
}

}  // namespace plumb::cli
