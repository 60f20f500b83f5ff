#include "framework/engine/modeling/model_links.h"

#include <fmt/format.h>

#include "framework/core/artifacts/adapter_folder.h"
#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/manifest.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

bool is_model_file(const fs::path& file) {
  const auto kind = file.extension();
  return file.filename() != manifest_name &&
         (kind == ".json" || kind == ".safetensors" || kind == ".model" || kind == ".txt" || kind == ".jinja");
}

bool lies_within(const fs::path& file, const fs::path& folder) {
  const fs::path relative = file.lexically_relative(folder);
  return !relative.empty() && *relative.begin() != "..";
}

}  // namespace

void link_file(const fs::path& target, const fs::path& link, const fs::path& store) {
  fs::remove(link);  // of an interrupted attempt
  const fs::path file = fs::canonical(target), root = fs::canonical(store);
  const fs::path from = fs::canonical(link.parent_path());
  fs::create_symlink(lies_within(file, root) && lies_within(from, root) ? file.lexically_relative(from) : file, link);
}

void link_model_files(const fs::path& source, const fs::path& folder, const fs::path& store) {
  std::error_code error;
  if (!fs::is_directory(source, error)) {
    throw Error(ErrorCode::data,
                fmt::format("there is no folder {}; a model is a folder with config.json", source.string()));
  }
  fs::create_directories(folder);
  for (const fs::directory_entry& entry : fs::directory_iterator(source)) {
    if (!entry.is_regular_file() || !is_model_file(entry.path())) continue;
    link_file(entry.path(), folder / entry.path().filename(), store);
  }
  if (!is_adapter_folder(source)) return;
  static_cast<void>(whole_base(source).value());  // or says why there is none
  link_model_files(adapter_base(source).value(), folder / base_links_name, store);
  Value config = read_json(source / adapter_config_name).value();
  config.set("base_model_name_or_path", base_links_name);
  fs::remove(folder / adapter_config_name);  // the link
  write_file(folder / adapter_config_name, to_json(config, false, 2) + "\n").value();
}

}  // namespace plumb
