#include "framework/core/sweep/sweep_progress.h"

#include <boost/test/unit_test.hpp>
#include <sstream>

namespace plumb {
namespace {

struct Watched {
  explicit Watched(Progress::Form form)
      : progress({.form = form,
                  .name = "table",
                  .arms = {"low,seed=1", "higher,seed=1"},
                  .screen = &screen,
                  .events = &events,
                  .width = 60,
                  .clock = [this] { return now; }}) {}

  double now = 100;
  std::ostringstream screen, events;
  SweepProgress progress;
};

// What a terminal shows in the end: "\033[nA" goes up n lines, "\033[J" clears from there on.
std::string on_terminal(const std::string& written) {
  std::vector<std::string> lines(1);
  for (std::size_t i = 0; i < written.size(); ++i) {
    if (written[i] == '\n') {
      lines.emplace_back();
    } else if (written[i] == '\r') {
      lines.back().clear();
    } else if (written.compare(i, 2, "\033[") == 0) {
      const std::size_t end = written.find_first_of("AJ", i);
      if (written[end] == 'A') lines.resize(lines.size() - std::stoul(written.substr(i + 2, end - i - 2)));
      i = end;
    } else {
      lines.back() += written[i];
    }
  }
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sweep_progress)

BOOST_AUTO_TEST_CASE(a_terminal_keeps_what_ended_above_what_runs) {
  Watched watched(Progress::Form::terminal);
  watched.progress.started("low,seed=1");
  watched.progress.event("low,seed=1", R"({"event":"stage-started","stage":"sft","number":2,"of":9})");
  watched.progress.event("low,seed=1", R"({"event":"progress","stage":"sft","what":"steps","done":30,"total":120})");
  watched.now = 130;
  watched.progress.tick();
  BOOST_TEST(on_terminal(watched.screen.str()) ==
             "  low,seed=1     running      30 s  [2/9] sft: steps 30/120\n"
             "table: 0 of 2 arms done, 1 running, 30 s\n\n");
  watched.progress.ended("low,seed=1", "done", 30, "");
  watched.progress.started("higher,seed=1");
  watched.now = 200;
  watched.progress.ended("higher,seed=1", "failed", 70, "stage `sft`: no\x1b[31m");
  watched.progress.finished("failed");
  BOOST_TEST(on_terminal(watched.screen.str()) ==
             "  low,seed=1     done         30 s\n"
             "  higher,seed=1  failed   1:10 min  stage `sft`: no\xEF\xBF\xBD[31m\n\n");
}

BOOST_AUTO_TEST_CASE(lines_hold_no_escapes_and_come_each_half_minute) {
  Watched watched(Progress::Form::lines);
  watched.progress.started("low,seed=1");
  watched.progress.event("low,seed=1", R"({"event":"stage-started","stage":"sft","number":2,"of":9})");
  watched.progress.event("low,seed=1", "a plugin printed this");
  for (int second = 0; second < 65; ++second) {
    watched.now += 1;
    watched.progress.tick();
  }
  watched.progress.ended("low,seed=1", "done", 65, "");
  watched.progress.finished("finished");
  BOOST_TEST(watched.screen.str() ==
             "  low,seed=1     started\n"
             "  low,seed=1     running      30 s  [2/9] sft\n"
             "  low,seed=1     running  1:00 min  [2/9] sft\n"
             "  low,seed=1     done     1:05 min\n");
}

BOOST_AUTO_TEST_CASE(events_carry_their_arm) {
  Watched watched(Progress::Form::json);
  watched.progress.started("low,seed=1");
  watched.progress.event("low,seed=1", R"({"event":"stage-started","stage":"sft","number":2,"of":9})");
  watched.now = 105;
  watched.progress.ended("low,seed=1", "done", 5, "");
  watched.progress.finished("finished");
  BOOST_TEST(watched.events.str() == R"({"event":"arm-started","arm":"low,seed=1"})"
                                     "\n"
                                     R"({"event":"stage-started","arm":"low,seed=1","stage":"sft","number":2,"of":9})"
                                     "\n"
                                     R"({"event":"arm-finished","arm":"low,seed=1","status":"done","seconds":5.0})"
                                     "\n"
                                     R"({"event":"sweep-finished","status":"finished","seconds":5.0,"done":1})"
                                     "\n");
  BOOST_TEST(watched.screen.str().empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace plumb
