// What a run tells while it works: one changing line on a terminal, a line now and then elsewhere, events as JSON.
//
//   Progress progress({.form = Progress::choose(quiet, json), .log_file = folder / "log.txt"});
//   progress.stage_started("sft", 3, 11);
//   progress.update("steps", 120, 800);          // as often as one likes
//   progress.stage_finished("sft", "412 s");
//
//   terminal  standard error: the line of the stage is redrawn at most ten times a second
//   lines     standard error: a line after 30 s or 5 % of the work, never an escape sequence
//   quiet     standard error: warnings and errors only
//   json      standard output: every event as one line of JSON; standard error: warnings and errors only
//
// The log file gets what `lines` shows, messages of level debug, and the time.
// Thread contract: [any].
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iosfwd>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "framework/core/telemetry/rate.h"
#include "plumb/host.h"
#include "plumb/value.h"

namespace plumb {

class Progress {
 public:
  enum class Form { terminal, lines, quiet, json };

  struct Settings {
    Form form = Form::lines;
    std::filesystem::path log_file;  // appended to; empty: none
    // For tests. Null: standard error, standard output, the terminal's width, a steady clock and a thread that keeps
    // the line alive while nothing is reported.
    std::ostream* screen = nullptr;
    std::ostream* events = nullptr;
    std::size_t width = 0;
    std::function<double()> clock;  // seconds
  };

  // Terminal when standard error is one and TERM is not "dumb".
  static Form choose(bool quiet, bool json);

  explicit Progress(Settings settings);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void stage_started(const std::string& name, std::size_t number, std::size_t of);  // of 0: it is not counted
  void update(std::string_view what, std::size_t done, std::size_t total);          // total 0: unknown
  void measured(std::int64_t step, const std::map<std::string, double>& values);
  void stage_finished(const std::string& name, const std::string& outcome);
  void message(LogLevel level, std::string_view text);
  void event(const Value& event);  // a map; shown in form json only
  void tick();                     // shows what has become due; the thread calls it

 private:
  struct Stage {
    std::string title, name, what, measured;
    std::size_t done = 0, total = 0;
    double started = 0;
    double logged_at = 0, logged_share = 0;  // the last line: when, and how much was done
  };

  [[nodiscard]] std::string stage_line(double now) const;
  void show(double now);
  void draw(const std::string& text);
  // A permanent line on the screen, above the changing one: `coloured` as it is, then the text as printable() leaves it.
  void print(std::string_view text, const std::string& coloured = {});
  void erase();
  void log(const std::string& text);
  void put_event(const Value& event);
  [[nodiscard]] std::size_t width() const;

  Settings settings_;
  bool colour_ = false;
  std::mutex mutex_;
  std::ofstream log_;
  std::optional<Stage> stage_;
  Rate rate_;
  bool drawn_ = false;
  double drawn_at_ = 0, event_at_ = 0;
  std::condition_variable stopping_;
  bool stop_ = false;
  std::thread ticker_;
};

// "12 s", "3:05 min", "2:05 h"
std::string show_duration(double seconds);

}  // namespace plumb
