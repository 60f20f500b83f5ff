#include "framework/core/telemetry/file_reading.h"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <sstream>
#include <thread>

namespace plumb {

BOOST_AUTO_TEST_CASE(a_large_file_that_is_read_is_shown_and_a_small_one_is_not) {
  std::ostringstream screen;
  const FileReading reading = show_reading(Progress::Form::terminal, &screen);
  reading("/models/seven/config.json", 600, 600);
  BOOST_TEST(screen.str().empty());
  const std::uint64_t total = std::uint64_t{13} << 30;
  reading("/models/seven/model.safetensors", total / 8, total);
  std::this_thread::sleep_for(std::chrono::milliseconds(150));  // a terminal's line is redrawn ten times a second
  reading("/models/seven/model.safetensors", total / 4, total);
  BOOST_TEST(screen.str().find("hashing model.safetensors: MiB 3328/13312 (25 %)") != std::string::npos, screen.str());
  reading("/models/seven/model.safetensors", total, total);
  BOOST_TEST(screen.str().find("hashing model.safetensors: 13312 MiB\n") != std::string::npos, screen.str());
}

BOOST_AUTO_TEST_CASE(where_nothing_but_json_is_wanted_reading_is_silent) {
  std::ostringstream screen;
  const FileReading reading = show_reading(Progress::Form::json, &screen);
  reading("/models/seven/model.safetensors", std::uint64_t{1} << 30, std::uint64_t{1} << 30);
  BOOST_TEST(screen.str().empty());
}

}  // namespace plumb
