// Rows of files as the schemas of this folder read them, whatever the files' format. The schemas are an object library;
// the plugin that links it opens the files, by defining the three functions below.
//
//   std::unique_ptr<Rows> rows = open_rows("train.jsonl");
//   while (std::optional<Value> row = rows->next()) … rows->fields().text(*row, "chosen") …
//
// Thread contract: as DataSource's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plumb/json_fields.h"
#include "plumb/params.h"

namespace plumb::files {

class Rows {
 public:
  virtual ~Rows() = default;

  // The next row, a map from columns to values, or nothing at the end. Throws Error(data) with the row's place; unless
  // the file is `broken`, the next call goes on with the row after it.
  virtual std::optional<Value> next() = 0;
  // After an error: nothing more can be read.
  [[nodiscard]] virtual bool broken() const = 0;
  // Reads the row just handed out; errors name its place.
  [[nodiscard]] virtual const JsonFields& fields() const = 0;
};

struct FileSettings {
  std::string path;
  std::string shards = "*";  // of Parquet only
  std::string malformed = "stop";
  bool deduplicate = true;
};

// The plugin's. The first declares `path` and what is special to the format; file_params() in file_source.h the rest.
Params<FileSettings> path_params();
// Error(data) when there is none, or when they are of another format.
std::vector<std::string> row_files(const std::string& path, const FileSettings& settings);
std::unique_ptr<Rows> open_rows(const std::string& file);

}  // namespace plumb::files
