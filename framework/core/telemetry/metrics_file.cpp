#include "framework/core/telemetry/metrics_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <limits>

#include "framework/core/artifacts/records_file.h"
#include "framework/core/telemetry/event_file.h"

namespace plumb {
namespace fs = std::filesystem;

namespace {

constexpr const char* rows_name = "metrics.jsonl";

Value row_of(std::int64_t step, const std::map<std::string, double>& values) {
  Value row = Value::map({{"step", step}});
  for (const auto& [name, value] : values) row.set(name, std::isfinite(value) ? Value(value) : Value());
  return row;
}

std::map<std::string, double> values_of(const Value& row) {
  std::map<std::string, double> out;
  for (const auto& [name, value] : row.as_map()) {
    if (name == "step") continue;
    out[name] = value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.as_double();
  }
  return out;
}

void append_to(Descriptor& fd, const fs::path& file) {
  fd.reset(::open(file.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (fd.get() < 0) throw disk_error("open", file, errno);
}

void close_file(Descriptor& fd, const fs::path& file) {
  if (fd.get() >= 0 && ::close(fd.release()) != 0) throw disk_error("close", file, errno);
}

}  // namespace

MetricsFile::MetricsFile(fs::path folder) : folder_(std::move(folder)) {}

void MetricsFile::close() {
  const std::lock_guard lock(mutex_);
  close_file(rows_, folder_ / rows_name);
  close_file(events_, folder_ / event_file_name);
}

void MetricsFile::add(std::int64_t step, const std::map<std::string, double>& values) {
  const std::lock_guard lock(mutex_);
  if (rows_.get() < 0) restart({}, event_file_header());
  write_all(rows_.get(), to_json(row_of(step, values)) + "\n", folder_ / rows_name);
  if (::fdatasync(rows_.get()) != 0) throw disk_error("flush to disk", folder_ / rows_name, errno);
  write_all(events_.get(), event_record(step, values), folder_ / event_file_name);
}

void MetricsFile::rewind(std::int64_t step) {
  const std::lock_guard lock(mutex_);
  std::string rows, events = event_file_header();
  if (fs::exists(folder_ / rows_name)) {
    { const RowWriter cut(folder_ / rows_name, true); }  // off the torn last line
    const Result<void> read =
        for_each_row(folder_ / rows_name, [&](const Value& row, const std::string&) -> Result<void> {
          if (row.at("step").as_int() > step) return {};
          rows += to_json(row) + "\n";
          events += event_record(row.at("step").as_int(), values_of(row));
          return {};
        });
    if (!read && step >= 0) {
      throw Error(ErrorCode::data, fmt::format("{}. What is unfinished of this stage is damaged and cannot go on: "
                                               "remove {}, then the same command begins the stage again",
                                               read.error().what(), folder_.string()));
    }
  }
  restart(rows, events);
}

void MetricsFile::restart(const std::string& rows, const std::string& events) {
  close_file(rows_, folder_ / rows_name);
  close_file(events_, folder_ / event_file_name);
  write_file(folder_ / rows_name, rows).value();
  write_file(folder_ / event_file_name, events).value();
  append_to(rows_, folder_ / rows_name);
  append_to(events_, folder_ / event_file_name);
}

}  // namespace plumb
