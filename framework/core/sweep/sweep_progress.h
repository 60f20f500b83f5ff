// What a sweep tells while it works: a line for every arm that ended, and on a terminal a block below with those that
// run and how many are left.
//
//   SweepProgress progress({.form = Progress::choose(quiet, json), .name = "table-1", .arms = names});
//   progress.started("eta=0.9,seed=1");
//   progress.event("eta=0.9,seed=1", line);                // a line of the arm's own events
//   progress.ended("eta=0.9,seed=1", "done", 41.5, "");
//
// The forms are those of Progress; in `json` the arms' own events are passed on with their arm.
// Thread contract: one thread.
#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/telemetry/progress.h"

namespace plumb {

class SweepProgress {
 public:
  struct Settings {
    Progress::Form form = Progress::Form::lines;
    std::string name;
    std::vector<std::string> arms;
    std::filesystem::path log_file;  // appended to; empty: none
    // For tests. Null: standard error, standard output, the terminal's width, a steady clock.
    std::ostream* screen = nullptr;
    std::ostream* events = nullptr;
    std::size_t width = 0;
    std::function<double()> clock;  // seconds
  };

  explicit SweepProgress(Settings settings);
  ~SweepProgress();
  SweepProgress(const SweepProgress&) = delete;
  SweepProgress& operator=(const SweepProgress&) = delete;

  void started(const std::string& arm);
  void event(const std::string& arm, const std::string& line);
  // `status`: done, cached, failed, stopped or blocked. `note`: what went wrong.
  void ended(const std::string& arm, const std::string& status, double seconds, const std::string& note);
  void message(const std::string& text);
  void finished(const std::string& status);
  void tick();  // redraws what has become due

 private:
  struct Running {
    std::string doing;
    double started = 0, told = 0;
  };
  [[nodiscard]] std::string row(const std::string& arm, const std::string& status, double seconds,
                                const std::string& note) const;
  [[nodiscard]] std::string counts() const;
  void print(const std::string& line);
  void erase();
  void draw();
  void log(const std::string& text);
  void put_event(const Value& event);

  Settings settings_;
  std::ofstream log_;
  std::size_t name_width_ = 0, drawn_ = 0;
  double began_ = 0, drawn_at_ = 0;
  std::map<std::string, Running> running_;
  std::map<std::string, std::size_t> ended_;  // by status
};

}  // namespace plumb
