#include "framework/core/sweep/sweep_progress.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <iostream>

#include "framework/core/telemetry/output.h"
#include "framework/core/telemetry/rate.h"
#include "framework/core/telemetry/text.h"
#include "plumb/entries.h"
#include "plumb/error.h"
#include "plumb/utf8.h"

namespace plumb {
namespace {

constexpr double redraw_every = 0.1, line_every = 30;  // seconds

std::string text_at(const Value& event, const char* key) {
  return printable(entry<std::string>(event, key).value_or(""));
}

}  // namespace

SweepProgress::SweepProgress(Settings settings) : settings_(std::move(settings)) {
  if (settings_.screen == nullptr) settings_.screen = &unfiltered_errors();
  if (settings_.events == nullptr) settings_.events = &unfiltered_output();
  if (!settings_.clock) settings_.clock = steady_seconds;
  if (!settings_.log_file.empty()) log_.open(settings_.log_file, std::ios::app);
  for (const std::string& arm : settings_.arms) name_width_ = std::max(name_width_, arm.size());
  began_ = settings_.clock();
}

SweepProgress::~SweepProgress() {
  erase();
}

void SweepProgress::started(const std::string& arm) {
  const double now = settings_.clock();
  running_[arm] = {"starts", now, now};
  log(arm + ": started");
  put_event(Value::map({{"event", "arm-started"}, {"arm", arm}}));
  if (settings_.form == Progress::Form::lines) print(row(arm, "started", 0, ""));
  draw();
}

void SweepProgress::event(const std::string& arm, const std::string& line) {
  Value event;
  try {
    event = parse_json(line, arm);
  } catch (const Error&) {
    return;  // not an event: something printed by a plugin
  }
  const auto found = running_.find(arm);
  if (!event.is_map() || found == running_.end()) return;
  const std::string kind = text_at(event, "event");
  if (kind == "stage-started") {
    found->second.doing = fmt::format("[{}/{}] {}", entry<std::int64_t>(event, "number").value_or(0),
                                      entry<std::int64_t>(event, "of").value_or(0), text_at(event, "stage"));
  } else if (kind == "progress") {
    const std::int64_t done = entry<std::int64_t>(event, "done").value_or(0),
                       total = entry<std::int64_t>(event, "total").value_or(0);
    std::string& doing = found->second.doing;
    doing = doing.substr(0, doing.find(": "));
    doing += fmt::format(": {} {}", text_at(event, "what"), done);
    if (total > 0) doing += fmt::format("/{} ({} %)", total, 100 * done / total);
  }
  if (settings_.form == Progress::Form::json) {
    Value passed = Value::map({{"event", kind}, {"arm", arm}});
    for (const auto& [key, value] : event.as_map()) {
      if (key != "event") passed.set(key, value);
    }
    put_event(passed);
  }
}

void SweepProgress::ended(const std::string& arm, const std::string& status, double seconds, const std::string& note) {
  running_.erase(arm);
  ++ended_[status];
  Value event = Value::map({{"event", "arm-finished"}, {"arm", arm}, {"status", status}, {"seconds", seconds}});
  if (!note.empty()) event.set("error", note);
  put_event(event);
  const std::string line = row(arm, status, seconds, printable(note));
  log(line);
  const bool wrong = status == "failed" || status == "blocked";
  if (settings_.form == Progress::Form::terminal || settings_.form == Progress::Form::lines || wrong) print(line);
}

void SweepProgress::message(const std::string& text) {
  log(text);
  put_event(Value::map({{"event", "log"}, {"level", "info"}, {"message", text}}));
  if (settings_.form == Progress::Form::terminal || settings_.form == Progress::Form::lines) print(text);
}

void SweepProgress::finished(const std::string& status) {
  erase();
  log(counts());
  Value event = Value::map({{"event", "sweep-finished"}, {"status", status}, {"seconds", settings_.clock() - began_}});
  for (const auto& [name, count] : ended_) event.set(name, static_cast<std::int64_t>(count));
  put_event(event);
}

void SweepProgress::tick() {
  const double now = settings_.clock();
  if (settings_.form == Progress::Form::terminal && now - drawn_at_ >= redraw_every) draw();
  if (settings_.form != Progress::Form::lines) return;
  for (auto& [arm, running] : running_) {
    if (now - running.told < line_every) continue;
    running.told = now;
    print(row(arm, "running", now - running.started, running.doing));
  }
}

std::string SweepProgress::row(const std::string& arm, const std::string& status, double seconds,
                               const std::string& note) const {
  std::string out = fmt::format("  {:<{}}  {:<8}{:>9}", arm, name_width_, status,
                                seconds > 0 ? show_duration(seconds) : std::string());
  if (!note.empty()) out += "  " + note;
  out.erase(out.find_last_not_of(' ') + 1);
  return out;
}

std::string SweepProgress::counts() const {
  const auto of = [&](const char* status) {
    const auto found = ended_.find(status);
    return found == ended_.end() ? 0 : found->second;
  };
  const std::size_t done = of("done") + of("cached");
  std::string out = fmt::format("{}: {} of {} arms done", settings_.name, done, settings_.arms.size());
  for (const char* status : {"failed", "blocked", "stopped"}) {
    if (of(status) > 0) out += fmt::format(", {} {}", of(status), status);
  }
  if (!running_.empty()) out += fmt::format(", {} running", running_.size());
  return out + ", " + show_duration(settings_.clock() - began_);
}

void SweepProgress::print(const std::string& line) {
  erase();
  *settings_.screen << printable(line) + "\n" << std::flush;
  draw();
}

void SweepProgress::erase() {
  if (drawn_ == 0) return;
  *settings_.screen << fmt::format("\033[{}A\r\033[J", drawn_) << std::flush;
  drawn_ = 0;
}

void SweepProgress::draw() {
  if (settings_.form != Progress::Form::terminal) return;
  struct winsize size {};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  const std::size_t width = (settings_.width > 0 ? settings_.width : known ? size.ws_col : 80) - 1;
  erase();
  const double now = settings_.clock();
  std::string block;
  const auto add = [&](const std::string& line) {
    block += first_characters(line, width);
    block += '\n';
  };
  for (const auto& [arm, running] : running_) {
    add(row(arm, "running", now - running.started, running.doing));
    ++drawn_;
  }
  add(counts());
  ++drawn_;
  *settings_.screen << block << std::flush;
  drawn_at_ = now;
}

void SweepProgress::log(const std::string& text) {
  if (!log_.is_open()) return;
  log_ << fmt::format("{:%Y-%m-%dT%H:%M:%SZ} {}", fmt::gmtime(std::time(nullptr)), printable(text)) << std::endl;
}

void SweepProgress::put_event(const Value& event) {
  if (settings_.form == Progress::Form::json) *settings_.events << to_json(event) + "\n" << std::flush;
}

}  // namespace plumb
