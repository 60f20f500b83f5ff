#include "framework/core/telemetry/progress.h"

#include <boost/test/unit_test.hpp>
#include <sstream>

#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/test_folder.h"
#include "plumb/utf8.h"

namespace plumb {
namespace {

// A progress whose screen, standard output and clock the test holds.
struct Watched {
  explicit Watched(Progress::Form form, const std::filesystem::path& log_file = {})
      : progress(
            {.form = form, .log_file = log_file, .screen = &screen, .events = &events, .width = 60, .clock = [this] {
               return now;
             }}) {}

  [[nodiscard]] std::size_t count(const std::string& text) const {
    const std::string shown = screen.str();
    std::size_t found = 0;
    for (std::size_t at = shown.find(text); at != std::string::npos; at = shown.find(text, at + 1)) ++found;
    return found;
  }

  double now = 100;
  std::ostringstream screen, events;
  Progress progress;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(progress)

BOOST_AUTO_TEST_CASE(lines_come_after_five_percent_and_hold_no_escapes) {
  Watched watched(Progress::Form::lines);
  watched.progress.stage_started("sft", 2, 9);
  for (int step = 1; step <= 1000; ++step) {
    watched.now += 1;  // 1000 seconds of work: 5 % take 50 s, so a line comes each 30 s
    watched.progress.measured(step, {{"loss", 0.5}, {"learning_rate", 1e-3}});
    watched.progress.update("steps", static_cast<std::size_t>(step), 1000);
  }
  watched.progress.stage_finished("sft", "done");
  BOOST_TEST(watched.count("\n") == 1U + 33U + 1U);
  BOOST_TEST(watched.count("\033") == 0U);
  BOOST_TEST(watched.count("\r") == 0U);
  BOOST_TEST(watched.count("[2/9] sft: steps 30/1000 (3 %), 1/s, 16:10 min left, 30 s, loss 0.5\n") == 1U);
  BOOST_TEST(watched.screen.str().ends_with("[2/9] sft: done\n"));
}

BOOST_AUTO_TEST_CASE(fast_stages_do_not_flood_a_log) {
  Watched watched(Progress::Form::lines);
  watched.progress.stage_started("select", 1, 1);
  for (std::size_t row = 1; row <= 100; ++row) {
    watched.now += 0.1;  // ten seconds: 5 % take half a second, lines are two seconds apart
    watched.progress.update("prompts", row, 100);
  }
  BOOST_TEST(watched.count("prompts") <= 5U);
  BOOST_TEST(watched.count("prompts") >= 4U);
}

BOOST_AUTO_TEST_CASE(silence_is_broken_after_thirty_seconds) {
  Watched watched(Progress::Form::lines);
  watched.progress.stage_started("load", 1, 1);
  watched.now += 29;
  watched.progress.tick();
  BOOST_TEST(watched.screen.str() == "[1/1] load\n");
  watched.now += 2;
  watched.progress.tick();
  BOOST_TEST(watched.screen.str() == "[1/1] load\n[1/1] load: 31 s\n");
}

BOOST_AUTO_TEST_CASE(a_terminal_is_redrawn_at_most_ten_times_a_second_within_its_width) {
  Watched watched(Progress::Form::terminal);
  watched.progress.stage_started("größe", 1, 1);
  for (std::size_t step = 0; step < 1000; ++step) {
    watched.now += 0.001;
    watched.progress.measured(1, {{"loss", 0.123456}, {"rewards/margins", 0.5}, {"rewards/accuracies", 0.25}});
    watched.progress.update("Schritte", step, 1000);
  }
  BOOST_TEST(watched.count("\r\033[K") <= 11U);
  BOOST_TEST(watched.count("\r\033[K") >= 9U);
  std::istringstream lines(watched.screen.str());
  for (std::string line; std::getline(lines, line, '\r');) {
    BOOST_TEST(count_characters(line) <= 59U + 3U);  // the escape that erases the line has three
  }
  watched.progress.message(LogLevel::info, "hello");
  BOOST_TEST(watched.screen.str().find("\r\033[Khello\n\r\033[K[1/1] größe: ") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(quiet_shows_warnings_only) {
  Watched watched(Progress::Form::quiet);
  watched.progress.stage_started("sft", 1, 1);
  watched.now += 100;
  watched.progress.update("steps", 50, 100);
  watched.progress.message(LogLevel::info, "read 10 rows");
  watched.progress.message(LogLevel::warning, "2 rows were dropped");
  watched.progress.stage_finished("sft", "done");
  BOOST_TEST(watched.screen.str() == "warning: 2 rows were dropped\n");
  BOOST_TEST(watched.events.str().empty());
}

BOOST_AUTO_TEST_CASE(json_writes_one_event_a_line) {
  Watched watched(Progress::Form::json);
  watched.progress.stage_started("sft", 1, 2);
  for (std::size_t step = 1; step <= 40; ++step) {
    watched.now += 0.1;
    watched.progress.update("steps", step, 40);
  }
  watched.progress.measured(40, {{"loss", 0.5}});
  watched.progress.message(LogLevel::info, "hi");
  watched.progress.stage_finished("sft", "done");
  std::vector<std::string> kinds;
  std::istringstream lines(watched.events.str());
  for (std::string line; std::getline(lines, line);) kinds.push_back(parse_json(line).at("event").as_string());
  BOOST_CHECK((kinds == std::vector<std::string>{"stage-started", "progress", "progress", "progress", "progress",
                                                 "metrics", "log", "stage-finished"}));
  BOOST_TEST(watched.screen.str().empty());
}

BOOST_AUTO_TEST_CASE(the_log_file_has_times_and_debug_messages) {
  test::Folder folder;
  {
    Watched watched(Progress::Form::quiet, folder / "log.txt");
    watched.progress.message(LogLevel::debug, "detail");
  }
  {
    Watched again(Progress::Form::quiet, folder / "log.txt");
    again.progress.stage_started("sft", 1, 1);
  }
  const std::string text = read_file(folder / "log.txt").value();
  BOOST_TEST(text.substr(19).starts_with("Z detail\n2"));
  BOOST_TEST(text.ends_with("Z [1/1] sft: started\n"));
}

BOOST_AUTO_TEST_CASE(the_rate_forgets_what_an_earlier_attempt_did) {
  Rate rate;
  rate.add(0, 500);
  BOOST_TEST(!rate.per_second().has_value());
  rate.add(10, 520);
  BOOST_TEST(*rate.per_second() == 2.0);
  BOOST_TEST(*rate.seconds_left(600) == 40.0);
  for (int second = 11; second <= 100; ++second) rate.add(second, 520 + 4 * static_cast<std::size_t>(second - 10));
  BOOST_TEST(*rate.per_second() == 4.0, boost::test_tools::tolerance(0.05));  // the slow start lies outside the window
  rate.add(101, 1);
  BOOST_TEST(!rate.per_second().has_value());
}

BOOST_AUTO_TEST_CASE(durations_read_well) {
  BOOST_TEST(show_duration(0.2) == "0 s");
  BOOST_TEST(show_duration(59.4) == "59 s");
  BOOST_TEST(show_duration(59.6) == "1:00 min");
  BOOST_TEST(show_duration(7500) == "2:05 h");
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace plumb
