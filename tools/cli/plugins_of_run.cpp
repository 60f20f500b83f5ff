#include "tools/cli/plugins_of_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "framework/core/artifacts/disk.h"
#include "framework/core/pipeline/lock.h"
#include "framework/core/registry/permissions.h"

namespace plumb::cli {
namespace {

namespace fs = std::filesystem;

// The lock of the run that `folder` is or lies in; empty: there is none.
fs::path lock_above(const fs::path& folder) {
  std::error_code ignored;
  fs::path place = fs::absolute(folder, ignored).lexically_normal();
  if (!place.has_filename()) place = place.parent_path();  // "runs/smoke/"
  for (int level = 0; level < 3 && place.has_relative_path(); ++level, place = place.parent_path()) {
    const fs::path lock = place / "recipe.lock.yaml";
    if (fs::is_regular_file(lock, ignored) && fs::is_regular_file(place / "run.json", ignored)) return lock;
  }
  return {};
}

bool provides(const Registry& registry, const std::string& id) {
  const auto& all = registry.candidates();
  return std::any_of(all.begin(), all.end(), [&](const auto& found) { return found.used() && found.id == id; });
}

// Why the file cannot stand for the plugin that the run used; empty: it can.
std::string why_not(const fs::path& file, const std::string& sha256) {
  const Result<std::string> now = sha256_of_file(file);
  if (!now) return now.error().what();
  return *now == sha256 ? "" : file.string() + " is another build now";
}

}  // namespace

Registry scan_for(const fs::path& folder, const boost::program_options::variables_map& given) {
  const PluginSearch search = plugin_search(given);
  Registry usual = Registry::scan(search);
  require_given(usual, given);
  const fs::path lock = lock_above(folder);
  if (lock.empty() || !replaceable_by_others(lock).empty()) return usual;
  PluginSearch more = search;
  const Value recorded = read_lock(lock).value();
  for (const Value& plugin : recorded.at("plugins").as_list()) {
    const std::string& id = plugin.at("id").as_string();
    const Value* file = plugin.find("file");
    if (file == nullptr || !file->is_string() || provides(usual, id)) continue;
    const std::string why = why_not(file->as_string(), plugin.at("sha256").as_string());
    if (why.empty()) {
      more.files.emplace_back(file->as_string());
    } else {
      std::cerr << fmt::format(
          "plumb: the run was made with the plugin {}, which is not used: {}; --plugin FILE "
          "names one\n",
          id, why);
    }
  }
  return more.files.size() == search.files.size() ? std::move(usual) : Registry::scan(more);
}

}  // namespace plumb::cli
