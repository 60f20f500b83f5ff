// Rows of JSON files, for the schemas.
#include <algorithm>
#include <filesystem>

#include "plumb/error.h"
#include "plumb/json_rows.h"
#include "rows.h"

namespace plumb::files {
namespace {

namespace fs = std::filesystem;

class JsonFileRows final : public Rows {
 public:
  explicit JsonFileRows(const std::string& file) : rows_(file) {}
  std::optional<Value> next() override { return rows_.next(); }
  [[nodiscard]] bool broken() const override { return rows_.broken(); }
  [[nodiscard]] const JsonFields& fields() const override { return rows_.fields(); }

 private:
  JsonRows rows_;
};

bool is_parquet(const fs::path& file) {
  return file.extension() == ".parquet";
}

// The hub's data sets are Parquet, so this is what people try first.
void refuse_parquet(const std::string& path) {
  throw Error(
      ErrorCode::data,
      path +
          ": Parquet is read by the sources `parquet` and `parquet-…` of the plugin data-parquet, which is built "
          "when Apache Arrow is there: `tools/setup --with-parquet` fetches it; `plumb plugins list` shows what "
          "there is");
}

}  // namespace

Params<FileSettings> path_params() {
  Params<FileSettings> p{"rows of files"};
  p.add(&FileSettings::path, "path",
        "a file of JSON lines or a JSON list, also compressed (.gz, .zst); or a folder of them, read by name")
      .path()
      .required();
  return p;
}

std::vector<std::string> row_files(const std::string& path, const FileSettings&) {
  if (is_parquet(path)) refuse_parquet(path);
  try {
    return data_files(path);
  } catch (const Error&) {
    std::error_code none;
    const fs::directory_iterator folder(path, none);
    if (!none && std::any_of(begin(folder), end(folder), [](const auto& entry) { return is_parquet(entry.path()); })) {
      refuse_parquet(path);
    }
    throw;
  }
}

std::unique_ptr<Rows> open_rows(const std::string& file) {
  return std::make_unique<JsonFileRows>(file);
}

}  // namespace plumb::files
