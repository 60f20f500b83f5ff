// Runs that are killed, stopped, starved of disk or started twice end with the bytes of a run that was left alone.
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <random>
#include <thread>

#include "framework/core/artifacts/artifact.h"
#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/test_folder.h"
#include "tests/faults/command.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using test::Folder;
using test::Process;

struct Size {
  int rows, steps, microseconds;
};

std::vector<std::string> worker(const fs::path& folder, const Size& size) {
  return {PLUMB_FAULTS_WORKER, folder.string(), std::to_string(size.rows), std::to_string(size.steps),
          std::to_string(size.microseconds)};
}

std::string errors(const fs::path& folder) {
  return read_file(folder / "stderr").value();
}

int run(const fs::path& folder, const Size& size, const std::vector<std::string>& environment = {}) {
  return Process(worker(folder, size), {folder / "stderr"}, environment).wait();
}

void run_to_the_end(const fs::path& folder, const Size& size) {
  const int status = run(folder, size);
  BOOST_REQUIRE_MESSAGE(status == 0, status << ": " << errors(folder));
}

// Name and hash of every file that the run's stages produced, recomputed from the files.
std::string products(const fs::path& folder) {
  std::string out;
  for (const char* stage : {"answers", "weights"}) {
    const ArtifactManifest manifest = read_manifest(folder / "runs/faults" / stage).value();
    for (const ArtifactFile& file : manifest.files) {
      const std::string hash = sha256_of_file(folder / "runs/faults" / stage / file.name).value();
      BOOST_TEST(hash == file.sha256);
      out += fmt::format("{}/{} {}\n", stage, file.name, hash);
    }
  }
  return out;
}

std::string undisturbed(const Size& size) {
  Folder folder;
  run_to_the_end(folder.path(), {size.rows, size.steps, 0});
  return products(folder.path());
}

std::size_t lines(const fs::path& file, const std::string& line) {
  std::ifstream in(file);
  std::size_t found = 0;
  for (std::string read; std::getline(in, read);) found += read == line ? 1 : 0;
  return found;
}

void sleep_ms(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

struct SmallDisk {
  explicit SmallDisk(const fs::path& folder)
      : place(folder), mounted(::mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=96k") == 0) {}
  ~SmallDisk() {
    if (mounted) ::umount2(place.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  const fs::path place;
  const bool mounted;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(interruption, *boost::unit_test::fixture<test::InMemory>())

BOOST_AUTO_TEST_CASE(kills_at_random_instants_leave_no_trace) {
  const Size size{120, 120, 300};
  const std::string expected = undisturbed(size);
  BOOST_TEST(expected.find("weights/metrics.jsonl") != std::string::npos);
  BOOST_TEST(expected.find("weights/events.out.tfevents") != std::string::npos);
  std::mt19937 random(1);
  int kills = 0;
  for (int round = 0; round < 4; ++round) {
    Folder folder;
    int patience = 20;  // milliseconds; grows, so that a slow machine comes to the end too
    for (int status = -1; status != 0;) {
      Process process(worker(folder.path(), size), {folder / "stderr"});
      sleep_ms(static_cast<int>(random() % static_cast<unsigned>(patience)));
      patience += 2;
      process.signal(SIGKILL);
      status = process.wait();
      if (status == 0) break;
      BOOST_REQUIRE_MESSAGE(status == 128 + SIGKILL, errors(folder.path()));
      ++kills;
      // A kill rarely tears a line in so small a write; do it by hand now and then.
      for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
        if (entry.path().filename() == "answers.jsonl" && entry.path().parent_path().filename() == "work") {
          std::ofstream(entry.path(), std::ios::app) << "{\"prompt\":";
        }
      }
    }
    BOOST_TEST(products(folder.path()) == expected);
  }
  BOOST_TEST(kills >= 8);
  BOOST_TEST_MESSAGE("killed " << kills << " times");
}

BOOST_AUTO_TEST_CASE(a_crash_before_any_file_operation_is_survived) {
  const Size size{4, 8, 0};
  const std::string expected = undisturbed(size);
  int operation = 0;
  for (int status = -1; status != 0;) {
    Folder folder;
    status = run(folder.path(), size, test::with_faults({fmt::format("PLUMB_CRASH_AT={}", ++operation)}));
    BOOST_REQUIRE_MESSAGE(status == 0 || status == 137, operation << ": " << status << " " << errors(folder.path()));
    run_to_the_end(folder.path(), size);
    BOOST_REQUIRE_MESSAGE(products(folder.path()) == expected, "other bytes after a crash at operation " << operation);
    BOOST_REQUIRE(operation < 1000);
  }
  BOOST_TEST(operation > 50);
}

BOOST_AUTO_TEST_CASE(a_disk_that_fills_up_at_any_operation_is_reported_and_loses_nothing) {
  const Size size{4, 8, 0};
  const std::string expected = undisturbed(size);
  int failures = 0;
  for (int operation = 1;; ++operation) {
    Folder folder;
    const int status = run(folder.path(), size, test::with_faults({fmt::format("PLUMB_FAIL_FROM={}", operation)}));
    const std::string said = errors(folder.path());
    if (status == 0) break;
    ++failures;
    BOOST_REQUIRE_MESSAGE(status == 4, operation << ": " << status << " " << said);
    BOOST_REQUIRE_MESSAGE(said.find("No space left on device") != std::string::npos, operation << ": " << said);
    BOOST_REQUIRE_MESSAGE(said.find(folder.path().string()) != std::string::npos, operation << ": " << said);
    run_to_the_end(folder.path(), size);
    BOOST_REQUIRE_MESSAGE(products(folder.path()) == expected, "other bytes after operation " << operation);
    BOOST_REQUIRE(operation < 1000);
  }
  BOOST_TEST(failures > 50);
}

BOOST_AUTO_TEST_CASE(signals_end_a_run_with_their_status_and_it_goes_on) {
  const Size size{300, 300, 1000};
  const std::string expected = undisturbed(size);
  Folder folder;
  for (const auto& [signal, wanted] :
       {std::pair{SIGTERM, 75}, {SIGUSR1, 75}, {SIGINT, 130}, {SIGHUP, 75}, {SIGPIPE, 75}}) {
    fs::remove(folder / "bodies");  // so that it is this process that is seen at work
    Process process(worker(folder.path(), size), {folder / "stderr"});
    test::wait_for(folder / "bodies");
    sleep_ms(100);
    process.signal(signal);
    BOOST_TEST(process.wait() == wanted);
    BOOST_TEST(errors(folder.path()).find("the same command goes on") != std::string::npos);
    BOOST_TEST(read_file(folder / "runs/faults/run.json").value().find("\"status\": \"stopped\"") != std::string::npos);
  }
  run_to_the_end(folder.path(), {size.rows, size.steps, 0});
  BOOST_TEST(products(folder.path()) == expected);
}

BOOST_AUTO_TEST_CASE(a_second_signal_ends_at_once) {
  Folder folder;
  std::vector<std::string> command = worker(folder.path(), {100000, 1, 1000});
  command.emplace_back("stubborn");
  Process process(command, {folder / "stderr"});
  test::wait_for(folder / "bodies");
  process.signal(SIGINT);
  sleep_ms(1100);
  const auto start = std::chrono::steady_clock::now();
  process.signal(SIGINT);
  BOOST_TEST(process.wait() == 130);
  BOOST_TEST(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < 1.0);
}

BOOST_AUTO_TEST_CASE(two_signals_together_ask_once) {
  const Size size{300, 300, 1000};
  Folder folder;
  Process process(worker(folder.path(), size), {folder / "stderr"});
  test::wait_for(folder / "bodies");
  sleep_ms(100);
  process.signal(SIGTERM);
  sleep_ms(20);
  process.signal(SIGTERM);
  process.signal(SIGHUP);
  BOOST_TEST(process.wait() == 75);
  BOOST_TEST(errors(folder.path()).find("the same command goes on") != std::string::npos);
  run_to_the_end(folder.path(), {size.rows, size.steps, 0});
  BOOST_TEST(products(folder.path()) == undisturbed(size));
}

BOOST_AUTO_TEST_CASE(of_two_processes_one_works_and_the_other_finds_it) {
  const Size size{400, 50, 1000};
  Folder folder;
  Process first(worker(folder.path(), size), {folder / "stderr"});
  test::wait_for(folder / "bodies");
  Process second(worker(folder.path(), size), {folder / "stderr-2"});
  const pid_t writing = first.number();
  BOOST_TEST(first.wait() == 0);
  BOOST_TEST(second.wait() == 0);
  BOOST_TEST(lines(folder / "bodies", "answers") == 1U);
  BOOST_TEST(lines(folder / "bodies", "weights") == 1U);
  const std::string said = read_file(folder / "stderr-2").value();
  BOOST_TEST(
      said.find(fmt::format("another process is making it; waiting for process {} on ", writing)) != std::string::npos,
      said);
  BOOST_TEST(said.find("made by another run meanwhile") != std::string::npos);
  BOOST_TEST(products(folder.path()) == undisturbed(size));
}

BOOST_AUTO_TEST_CASE(past_the_limit_of_a_file_size_the_run_says_so) {
  const Size size{100, 10, 0};
  Folder folder;
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{4000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  Process process(worker(folder.path(), size), {folder / "stderr"});
  const int status = process.wait();
  setrlimit(RLIMIT_FSIZE, &before);
  BOOST_TEST(status == 4);
  BOOST_TEST(errors(folder.path()).find("answers.jsonl: File too large") != std::string::npos);
  run_to_the_end(folder.path(), size);
  BOOST_TEST(products(folder.path()) == undisturbed(size));
}

BOOST_AUTO_TEST_CASE(a_full_file_system_is_reported_and_the_run_goes_on_when_there_is_room) {
  const Size size{2000, 10, 0};
  Folder folder;
  const SmallDisk disk(folder.path());
  if (!disk.mounted) {
    BOOST_TEST_MESSAGE("skipped: a tmpfs of a given size needs root");
    return;
  }
  BOOST_TEST(run(folder.path(), size) == 4);
  const std::string said = errors(folder.path());
  BOOST_TEST(said.find("answers.jsonl: No space left on device") != std::string::npos, said);
  BOOST_TEST(said.find("0 bytes are free there") != std::string::npos, said);
  BOOST_TEST(::mount("tmpfs", folder.path().c_str(), "tmpfs", MS_REMOUNT, "size=8m") == 0);
  run_to_the_end(folder.path(), size);
  BOOST_TEST(products(folder.path()) == undisturbed(size));
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace plumb
