#include "framework/core/telemetry/metrics_file.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <limits>

#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/test_folder.h"
#include "framework/core/telemetry/event_file.h"
#include "plumb/error.h"

namespace plumb {
namespace {

using plumb::test::Folder;

std::string rows(const Folder& folder) {
  return read_file(folder / "metrics.jsonl").value();
}
std::string events(const Folder& folder) {
  return read_file(folder / event_file_name).value();
}

void log_steps(MetricsFile& metrics, std::int64_t from, std::int64_t to) {
  for (std::int64_t step = from; step <= to; ++step) {
    metrics.add(step, {{"loss", 1.0 / static_cast<double>(step)}, {"rewards/margins", 0.1}});
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(metrics_file)

BOOST_AUTO_TEST_CASE(rows_and_events_hold_what_was_added) {
  Folder folder;
  MetricsFile metrics(folder.path());
  metrics.add(10, {{"loss", 0.5}, {"epoch", 1}});
  metrics.add(20, {{"loss", std::numeric_limits<double>::quiet_NaN()}});
  BOOST_TEST(rows(folder) == "{\"step\":10,\"epoch\":1.0,\"loss\":0.5}\n{\"step\":20,\"loss\":null}\n");
  BOOST_TEST(events(folder).starts_with(event_file_header() + event_record(10, {{"epoch", 1}, {"loss", 0.5}})));
}

BOOST_AUTO_TEST_CASE(an_interrupted_run_writes_the_bytes_of_an_uninterrupted_one) {
  Folder whole, interrupted;
  {
    MetricsFile metrics(whole.path());
    log_steps(metrics, 1, 9);
  }
  {
    MetricsFile metrics(interrupted.path());
    log_steps(metrics, 1, 7);
  }
  std::ofstream(interrupted / "metrics.jsonl", std::ios::app) << "{\"step\":8,\"lo";  // torn by a kill
  std::ofstream(interrupted / event_file_name, std::ios::app) << "torn";
  {
    MetricsFile metrics(interrupted.path());
    metrics.rewind(4);
    log_steps(metrics, 5, 9);
  }
  BOOST_TEST(rows(whole) == rows(interrupted));
  BOOST_TEST(events(whole) == events(interrupted));
}

// As a network file system or a quota does it.
BOOST_AUTO_TEST_CASE(a_close_that_fails_is_an_error_with_the_file) {
  Folder folder;
  MetricsFile metrics(folder.path());
  metrics.add(1, {{"loss", 0.5}});
  const auto file = std::filesystem::canonical(folder / "metrics.jsonl");
  for (int fd = 3; fd < 256; ++fd) {
    std::error_code closed;
    if (std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), closed) == file) ::close(fd);
  }
  BOOST_CHECK_EXCEPTION(metrics.close(), Error, [&](const Error& error) {
    return std::string(error.what()) == "cannot close " + (folder / "metrics.jsonl").string() + ": Bad file descriptor";
  });
}

BOOST_AUTO_TEST_CASE(rows_that_cannot_be_read_say_how_to_go_on) {
  Folder folder;
  {
    MetricsFile metrics(folder.path());
    log_steps(metrics, 1, 3);
  }
  std::fstream(folder / "metrics.jsonl", std::ios::in | std::ios::out | std::ios::binary) << std::string(30, '\0');
  MetricsFile metrics(folder.path());
  BOOST_CHECK_EXCEPTION(metrics.rewind(3), Error, [&](const Error& error) {
    return std::string(error.what()).find("remove " + folder.path().string() + ", then") != std::string::npos;
  });
}

BOOST_AUTO_TEST_CASE(without_a_rewind_the_rows_of_an_earlier_attempt_go) {
  Folder folder;
  {
    MetricsFile metrics(folder.path());
    log_steps(metrics, 1, 3);
  }
  MetricsFile metrics(folder.path());
  metrics.add(1, {{"loss", 2}});
  BOOST_TEST(rows(folder) == "{\"step\":1,\"loss\":2.0}\n");
  metrics.rewind(0);
  BOOST_TEST(rows(folder).empty());
  BOOST_TEST(events(folder) == event_file_header());
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace plumb
