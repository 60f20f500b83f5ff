#include "framework/core/artifacts/run_files.h"

#include <fmt/format.h>

#include <initializer_list>

#include "framework/core/artifacts/disk.h"
#include "plumb/error.h"

namespace plumb {
namespace {

void require_texts(const Value& map, std::initializer_list<const char*> keys) {
  for (const char* key : keys) static_cast<void>(map.at(key).as_string());
}

void require_run(const Value& run) {
  require_texts(run, {"recipe", "status", "started"});
  for (const char* key : {"seed", "process"}) static_cast<void>(run.at(key).as_int());
  for (const Value& stage : run.at("stages").as_list())
    require_texts(stage, {"stage", "kind", "type", "status", "key"});
}

void require_sweep(const Value& sweep) {
  require_texts(sweep, {"sweep", "file", "status", "started"});
  static_cast<void>(sweep.at("process").as_int());
  for (const Value& arm : sweep.at("arms").as_list()) {
    require_texts(arm, {"arm", "row", "status"});
    static_cast<void>(arm.at("seed").as_int());
    static_cast<void>(arm.at("values").as_map());
  }
}

Result<Value> read(const std::filesystem::path& file, const char* verb, void (*require)(const Value&)) {
  Result<Value> value = read_json(file);
  if (!value) return value.error();
  try {
    require(*value);
  } catch (const Error& error) {
    return Error(ErrorCode::data,
                 fmt::format("{} is not what `plumb {}` writes: {}", file.string(), verb, error.what()));
  }
  return value;
}

}  // namespace

Result<Value> read_run_file(const std::filesystem::path& folder) {
  return read(folder / "run.json", "run", require_run);
}

Result<Value> read_sweep_file(const std::filesystem::path& folder) {
  return read(folder / "sweep.json", "sweep", require_sweep);
}

}  // namespace plumb
