// Which Parquet files a path stands for, and how they are opened.
#include <dlfcn.h>
#include <fnmatch.h>

#include <algorithm>
#include <filesystem>

#include "plumb/error.h"
#include "rows.h"

namespace plumb::files {
namespace {

namespace fs = std::filesystem;

std::string pattern(const FileSettings& settings) {
  return settings.shards.ends_with(".parquet") ? settings.shards : settings.shards + ".parquet";
}

// Of libplumb_parquet.so (parquet_rows.cpp), which stays loaded.
using OpenParquet = Rows*(const std::string& file);
OpenParquet* reader() {
  void* library = dlopen("libplumb_parquet.so", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr)
    throw Error(ErrorCode::plugin, std::string("the reader of Parquet cannot be loaded: ") + dlerror());
  return reinterpret_cast<OpenParquet*>(dlsym(library, "plumb_open_parquet"));
}

}  // namespace

Params<FileSettings> path_params() {
  Params<FileSettings> p{"rows of Parquet files"};
  p.add(&FileSettings::path, "path", "a Parquet file, or a folder of them, read by name").path().required();
  p.add(&FileSettings::shards, "shards", "of a folder, the files of these names: `train-*` for the split `train`");
  return p;
}

std::vector<std::string> row_files(const std::string& path, const FileSettings& settings) {
  std::error_code error;
  if (!fs::exists(path, error)) throw Error(ErrorCode::data, path + ": there is no such file or folder");
  if (!fs::is_directory(path, error)) return {path};
  const std::string wanted = pattern(settings);
  std::vector<std::string> files, others;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file(error) || !name.ends_with(".parquet")) continue;
    (fnmatch(wanted.c_str(), name.c_str(), 0) == 0 ? files : others).push_back(entry.path().string());
  }
  if (files.empty()) {
    std::string why = "holds no file `" + wanted + "`";
    if (!others.empty()) why += ", but others such as " + *std::min_element(others.begin(), others.end());
    throw Error(ErrorCode::data, path + ": " + why);
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::unique_ptr<Rows> open_rows(const std::string& file) {
  static OpenParquet* const open = reader();
  return std::unique_ptr<Rows>(open(file));
}

}  // namespace plumb::files
