#include "framework/data/load_tokenizer.h"

#include <fmt/format.h>

#include <set>

namespace plumb {
namespace {

namespace fs = std::filesystem;

// The file names that the tokenizers at hand recognise.
std::set<std::string> recognised(const Registry& registry) {
  std::set<std::string> names;
  for (const KnownComponent* known : registry.all("tokenizer")) {
    names.insert(known->info.claims.begin(), known->info.claims.end());
  }
  return names;
}

std::string listed(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "nothing: no tokenizer plugin was found" : text;
}

// The recognised name that decides which plugin reads `path`, or empty.
std::string deciding_name(const fs::path& path, const std::set<std::string>& names) {
  for (const std::string& name : names) {
    if (fs::is_directory(path) ? fs::exists(path / name) : path.filename() == name) return name;
  }
  if (fs::is_directory(path)) return {};
  for (const std::string& name : names) {
    if (path.extension() == fs::path(name).extension()) return name;
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> load_tokenizer(const Registry& registry, const fs::path& path, Host& host) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    return Error(ErrorCode::data,
                 fmt::format("{}: there is no such file or folder; wanted a tokenizer's", path.string()));
  }
  const std::set<std::string> names = recognised(registry);
  const std::string name = deciding_name(path, names);
  if (name.empty()) {
    return Error(ErrorCode::data, fmt::format("{}: holds no tokenizer that is recognised; recognised files are {}",
                                              path.string(), listed(names)));
  }
  try {
    const KnownComponent* known = registry.claiming("tokenizer", name);
    const fs::path file = fs::absolute(fs::is_directory(path) ? path / name : path);
    const std::string full = known->plugin->id + ":" + known->info.name;
    return registry.make<Tokenizer>(full, Value::map({{"path", file.string()}}), host);
  } catch (const Error& error) {
    return error;
  }
}

}  // namespace plumb
