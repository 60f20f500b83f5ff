#include "framework/telemetry/metrics_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <limits>

#include "framework/artifacts/records_file.h"
#include "framework/telemetry/event_file.h"

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

}  // namespace

MetricsFile::MetricsFile(fs::path folder) : folder_(std::move(folder)) {}

MetricsFile::~MetricsFile() {
  if (events_ >= 0) ::close(events_);
}

void MetricsFile::add(std::int64_t step, const std::map<std::string, double>& values) {
  const std::lock_guard lock(mutex_);
  if (!rows_) restart({}, event_file_header());
  rows_->write(row_of(step, values));
  rows_->flush(true);
  write_all(events_, event_record(step, values), folder_ / event_file_name);
}

void MetricsFile::rewind(std::int64_t step) {
  const std::lock_guard lock(mutex_);
  std::string rows, events = event_file_header();
  if (fs::exists(folder_ / rows_name)) {
    { const RowWriter cut(folder_ / rows_name, true); }  // off the torn last line
    for_each_row(folder_ / rows_name, [&](const Value& row, const std::string&) -> Result<void> {
      if (row.at("step").as_int() > step) return {};
      rows += to_json(row) + "\n";
      events += event_record(row.at("step").as_int(), values_of(row));
      return {};
    }).value();
  }
  restart(rows, events);
}

void MetricsFile::restart(const std::string& rows, const std::string& events) {
  rows_.reset();
  if (events_ >= 0) ::close(std::exchange(events_, -1));
  write_file(folder_ / rows_name, rows).value();
  write_file(folder_ / event_file_name, events).value();
  rows_ = std::make_unique<RowWriter>(folder_ / rows_name, true);
  events_ = ::open((folder_ / event_file_name).c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (events_ < 0) throw disk_error("open", folder_ / event_file_name, errno);
}

}  // namespace plumb
