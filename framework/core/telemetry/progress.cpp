#include "framework/core/telemetry/progress.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <limits>

#include "framework/core/telemetry/output.h"
#include "framework/core/telemetry/rate.h"
#include "framework/core/telemetry/text.h"
#include "plumb/utf8.h"

namespace plumb {

namespace {

constexpr double redraw_every = 0.1, event_every = 1;                        // seconds
constexpr double line_after = 30, line_after_share = 0.05, lines_apart = 2;  // seconds, share of the work, seconds

std::string show_rate(double per_second) {
  if (per_second >= 1) return fmt::format("{:.3g}/s", per_second);
  return fmt::format("{:.3g} s each", 1 / per_second);
}

// The measurements that say most, as far as they are there; else the first few.
std::string show_measured(const std::map<std::string, double>& values) {
  std::string out;
  const auto add = [&](const std::string& name, double value) {
    out += fmt::format("{}{} {:.4g}", out.empty() ? "" : ", ", name, value);
  };
  for (const char* name : {"loss", "rewards/accuracies", "rewards/margins", "accuracy", "eval_loss", "reward"}) {
    if (const auto found = values.find(name); found != values.end()) add(name, found->second);
  }
  if (out.empty()) {
    std::size_t shown = 0;
    for (const auto& [name, value] : values) {
      if (++shown <= 3) add(name, value);
    }
  }
  return out;
}

const char* prefix(LogLevel level) {
  return level == LogLevel::warning ? "warning: " : level == LogLevel::error ? "error: " : "";
}

const char* level_name(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    default:
      return "error";
  }
}

}  // namespace

std::string show_duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(std::min(seconds, 1e9)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{}:{:02} min", whole / 60, whole % 60);
  return fmt::format("{}:{:02} h", whole / 3600, whole % 3600 / 60);
}

Progress::Form Progress::choose(bool quiet, bool json) {
  if (json) return Form::json;
  if (quiet) return Form::quiet;
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return ::isatty(STDERR_FILENO) != 0 && !dumb ? Form::terminal : Form::lines;
}

Progress::Progress(Settings settings) : settings_(std::move(settings)) {
  const char* no_colour = std::getenv("NO_COLOR");
  colour_ = settings_.form == Form::terminal && (no_colour == nullptr || *no_colour == '\0');
  if (settings_.screen == nullptr) settings_.screen = &unfiltered_errors();
  if (settings_.events == nullptr) settings_.events = &unfiltered_output();
  if (!settings_.log_file.empty()) log_.open(settings_.log_file, std::ios::app);
  if (settings_.clock) return;
  settings_.clock = steady_seconds;
  ticker_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!stopping_.wait_for(lock, std::chrono::milliseconds(500), [this] { return stop_; })) {
      lock.unlock();
      tick();
      lock.lock();
    }
  });
}

Progress::~Progress() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    erase();
  }
  stopping_.notify_all();
  if (ticker_.joinable()) ticker_.join();
}

void Progress::stage_started(const std::string& name, std::size_t number, std::size_t of) {
  const std::lock_guard lock(mutex_);
  const double now = settings_.clock();
  stage_ = Stage{.title = of == 0 ? name : fmt::format("[{}/{}] {}", number, of, name),
                 .name = name,
                 .started = now,
                 .logged_at = now};
  rate_.restart();
  log(stage_->title + ": started");
  put_event(Value::map({{"event", "stage-started"},
                        {"stage", name},
                        {"number", static_cast<std::int64_t>(number)},
                        {"of", static_cast<std::int64_t>(of)}}));
  if (settings_.form == Form::lines) print(stage_->title);
  drawn_at_ = -std::numeric_limits<double>::infinity();
  show(now);
}

void Progress::update(std::string_view what, std::size_t done, std::size_t total) {
  const std::lock_guard lock(mutex_);
  if (!stage_) return;
  const double now = settings_.clock();
  if (stage_->what != what) {
    stage_->what = what;
    stage_->logged_share = 0;
    rate_.restart();
  }
  stage_->done = done;
  stage_->total = total;
  rate_.add(now, done);
  show(now);
}

void Progress::measured(std::int64_t step, const std::map<std::string, double>& values) {
  const std::lock_guard lock(mutex_);
  if (stage_) stage_->measured = show_measured(values);
  if (settings_.form != Form::json) return;
  Value event = Value::map({{"event", "metrics"}, {"stage", stage_ ? stage_->name : ""}, {"step", step}});
  Value numbers = Value::map();
  for (const auto& [name, value] : values) numbers.set(name, std::isfinite(value) ? Value(value) : Value());
  event.set("values", std::move(numbers));
  put_event(event);
}

void Progress::stage_finished(const std::string& name, const std::string& outcome) {
  const std::lock_guard lock(mutex_);
  const std::string text = fmt::format("{}: {}", stage_ ? stage_->title : name, outcome);
  stage_.reset();
  log(text);
  if (settings_.form == Form::terminal || settings_.form == Form::lines) print(text);
  put_event(Value::map({{"event", "stage-finished"}, {"stage", name}, {"outcome", outcome}}));
}

void Progress::message(LogLevel level, std::string_view text) {
  const std::lock_guard lock(mutex_);
  const std::string full = prefix(level) + std::string(text);
  log(full);
  put_event(Value::map({{"event", "log"}, {"level", level_name(level)}, {"message", text}}));
  if (level == LogLevel::debug) return;
  if (level == LogLevel::info && settings_.form != Form::terminal && settings_.form != Form::lines) return;
  if (colour_ && level != LogLevel::info) {
    print(text, fmt::format("\033[{}m{}\033[0m", level == LogLevel::warning ? 33 : 31, prefix(level)));
  } else {
    print(full);
  }
}

void Progress::event(const Value& event) {
  const std::lock_guard lock(mutex_);
  put_event(event);
}

void Progress::tick() {
  const std::lock_guard lock(mutex_);
  if (stage_) show(settings_.clock());
}

std::string Progress::stage_line(double now) const {
  const Stage& stage = *stage_;
  std::string text = stage.title + ":";
  if (!stage.what.empty()) {
    text += fmt::format(" {} {}", stage.what, stage.done);
    if (stage.total > 0) text += fmt::format("/{} ({} %)", stage.total, 100 * stage.done / stage.total);
    if (const auto speed = rate_.per_second()) text += ", " + show_rate(*speed);
    if (const auto left = rate_.seconds_left(stage.total); left && stage.done < stage.total) {
      text += fmt::format(", {} left", show_duration(*left));
    }
    text += ",";
  }
  text += " " + show_duration(now - stage.started);
  if (!stage.measured.empty()) text += ", " + stage.measured;
  return text;
}

void Progress::show(double now) {
  Stage& stage = *stage_;
  const double share = stage.total > 0 ? static_cast<double>(stage.done) / static_cast<double>(stage.total) : 0;
  const double waited = now - stage.logged_at;
  if (waited >= line_after || (waited >= lines_apart && share >= stage.logged_share + line_after_share)) {
    const std::string text = stage_line(now);
    log(text);
    if (settings_.form == Form::lines) print(text);
    stage.logged_at = now;
    stage.logged_share = share;
  }
  if (settings_.form == Form::terminal && now - drawn_at_ >= redraw_every) {
    draw(stage_line(now));
    drawn_at_ = now;
  }
  if (settings_.form == Form::json && !stage.what.empty() && now - event_at_ >= event_every) {
    put_event(Value::map({{"event", "progress"},
                          {"stage", stage.name},
                          {"what", stage.what},
                          {"done", static_cast<std::int64_t>(stage.done)},
                          {"total", static_cast<std::int64_t>(stage.total)}}));
    event_at_ = now;
  }
}

void Progress::draw(const std::string& text) {
  *settings_.screen << "\r\033[K" << first_characters(printable(text), width() - 1) << std::flush;
  drawn_ = true;
}

void Progress::erase() {
  if (!drawn_) return;
  *settings_.screen << "\r\033[K" << std::flush;
  drawn_ = false;
}

void Progress::print(std::string_view text, const std::string& coloured) {
  const bool again = drawn_ && stage_.has_value();
  erase();
  *settings_.screen << coloured + printable(text) + "\n" << std::flush;
  if (again) draw(stage_line(settings_.clock()));
}

void Progress::log(const std::string& text) {
  if (!log_.is_open()) return;
  log_ << fmt::format("{:%Y-%m-%dT%H:%M:%SZ} {}", fmt::gmtime(std::time(nullptr)), printable(text)) << std::endl;
}

void Progress::put_event(const Value& event) {
  if (settings_.form == Form::json) *settings_.events << to_json(event) + "\n" << std::flush;
}

std::size_t Progress::width() const {
  if (settings_.width > 0) return settings_.width;
  struct winsize size {};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  return known ? size.ws_col : 80;
}

}  // namespace plumb
