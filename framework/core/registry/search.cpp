// Where plugins are looked for.
#include <dlfcn.h>

#include <cstdlib>
#include <string_view>

#include "framework/core/registry/installation.h"
#include "framework/core/registry/registry.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

void add_if_there(const fs::path& folder, std::vector<fs::path>& folders) {
  std::error_code error;
  if (folder.is_absolute() && fs::is_directory(folder, error)) folders.push_back(folder);
}

fs::path user_folder() {
  const std::string_view data = environment("XDG_DATA_HOME");
  if (!data.empty()) return fs::path(data) / "plumb" / "plugins";
  const std::string_view home = environment("HOME");
  return home.empty() ? fs::path() : fs::path(home) / ".local" / "share" / "plumb" / "plugins";
}

}  // namespace

fs::path installation_prefix() {
  Dl_info info{};
  static const char anchor = 0;
  if (dladdr(&anchor, &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code error;
  const fs::path library = fs::canonical(info.dli_fname, error);
  return error ? fs::path() : library.parent_path().parent_path();
}

PluginSearch PluginSearch::standard() {
  PluginSearch out;
  // What the user names is kept even when it is not there, so that `plugins list` can say so.
  std::string_view path = environment("PLUMB_PLUGIN_PATH");
  while (!path.empty()) {
    const std::size_t colon = path.find(':');
    if (const std::string_view folder = path.substr(0, colon); !folder.empty()) out.folders.emplace_back(folder);
    path = colon == std::string_view::npos ? std::string_view() : path.substr(colon + 1);
  }
  add_if_there(user_folder(), out.folders);
  if (const fs::path prefix = installation_prefix(); !prefix.empty()) {
    out.folders.push_back(prefix / "lib" / "plumb" / "plugins");
  }
  return out;
}

}  // namespace plumb
