#include "framework/core/artifacts/adapter_folder.h"

#include <fmt/format.h>

#include "framework/core/artifacts/disk.h"

namespace plumb {
namespace fs = std::filesystem;

bool is_adapter_folder(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / adapter_config_name, ignored) && !fs::exists(folder / "config.json", ignored);
}

Result<fs::path> adapter_base(const fs::path& folder) {
  constexpr const char* key = "base_model_name_or_path";
  const fs::path file = folder / adapter_config_name;
  const auto refused = [&](const std::string& what) {
    return Error(ErrorCode::data, fmt::format("{}: {}; let it name the folder of the model that the adapter was "
                                              "trained on, by an absolute path or one that starts at {}",
                                              file.string(), what, folder.string()));
  };
  const Result<Value> config = read_json(file);
  if (!config) return config.error();
  const Value* base = config->is_map() ? config->find(key) : nullptr;
  if (base == nullptr || base->is_null()) return refused(fmt::format("{} is missing", key));
  if (!base->is_string() || base->as_string().empty()) {
    return refused(fmt::format("{} is {}", key, to_json(*base)));
  }
  fs::path path = folder / base->as_string();
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    return refused(fmt::format("{} is \"{}\", but there is no folder {}", key, base->as_string(), path.string()));
  }
  return path;
}

Result<fs::path> whole_base(const fs::path& folder) {
  fs::path at = folder;
  for (int depth = 0; is_adapter_folder(at); ++depth) {
    if (depth == adapter_depth) {
      return Error(ErrorCode::data, folder.string() + ": adapters over adapters, too deep or in a circle");
    }
    Result<fs::path> base = adapter_base(at);
    if (!base) return base;
    at = std::move(*base);
  }
  return at;
}

}  // namespace plumb
