// Of many processes that want the same artifacts one at a time writes each, also where attributes of files are cached and
// when writers are killed; and a file system without locks is refused.
#include <fmt/format.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <fstream>
#include <memory>
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

class Writers {
 public:
  Writers(int count, int keys) : keys_(keys) {
    for (int i = 0; i < count; ++i) processes_.push_back(started(i));
  }

  void kill_some(int kills) {
    std::mt19937 random(7);
    for (int i = 0; i < kills; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 50));
      const std::size_t at = random() % processes_.size();
      processes_[at]->signal(SIGKILL);
      check(processes_[at]->wait(), true);
      processes_[at] = started(100 + i);
    }
  }
  void wait() {
    for (auto& process : processes_) check(process->wait(), false);
  }

  Folder folder;

 private:
  [[nodiscard]] std::unique_ptr<Process> started(int seed) const {
    return std::make_unique<Process>(std::vector<std::string>{PLUMB_FAULTS_WRITER, folder.path().string(),
                                                              std::to_string(keys_), std::to_string(seed)},
                                     Process::Streams{folder / fmt::format("stderr-{}", seed)},
                                     test::with_faults({"PLUMB_STALE_STAT=1000", "PLUMB_FAULT_PATH=.lock"}));
  }
  static void check(int status, bool killed) {
    BOOST_REQUIRE_MESSAGE(status != 9, "two processes wrote one key at the same time");
    BOOST_REQUIRE_MESSAGE(status == 0 || (killed && status == 128 + SIGKILL), "a writer ended with " << status);
  }

  int keys_;
  std::vector<std::unique_ptr<Process>> processes_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(locks, *boost::unit_test::fixture<test::InMemory>())

BOOST_AUTO_TEST_CASE(one_at_a_time_writes_a_key_where_attributes_are_stale_and_writers_are_killed) {
  constexpr int kKeys = 3;
  Writers writers(8, kKeys);
  writers.kill_some(30);
  writers.wait();
  std::vector<int> made;
  std::ifstream in(writers.folder / "made");
  for (int key = 0; in >> key;) made.push_back(key);
  std::sort(made.begin(), made.end());
  BOOST_TEST((std::adjacent_find(made.begin(), made.end()) == made.end()), "an artifact was made twice");
  ArtifactStore store(writers.folder / "store");
  for (int key = 0; key < kKeys; ++key) {
    const std::string sha256 = sha256_of(std::to_string(key));
    BOOST_TEST(store.find(sha256, sha256_of_file).value().has_value());
    BOOST_TEST(fs::exists(store.root() / ("model-" + sha256.substr(0, 16) + ".lock")));
    BOOST_TEST(!fs::exists(store.root() / ("model-" + sha256.substr(0, 16) + ".partial")));
  }
}

BOOST_AUTO_TEST_CASE(a_file_system_that_does_not_lock_is_refused_before_anything_is_written) {
  for (const auto& [locks, why] : {std::pair<std::string, std::string>{"none", "hold its lock at the same time"},
                                   {"refused", "No locks available"}}) {
    Folder folder;
    const int status = Process({PLUMB_FAULTS_WORKER, folder.path().string(), "2", "2", "0"}, {folder / "stderr"},
                               test::with_faults({"PLUMB_LOCKS=" + locks, "PLUMB_FAULT_PATH="}))
                           .wait();
    const std::string said = read_file(folder / "stderr").value();
    BOOST_TEST(status == 4);
    BOOST_TEST(
        said.find((folder / "runs/.artifacts").string() + ": its file system does not lock") != std::string::npos,
        said);
    BOOST_TEST(said.find(why) != std::string::npos, said);
    BOOST_TEST(!fs::exists(folder / "runs/faults"));
    BOOST_TEST(fs::is_empty(folder / "runs/.artifacts"));
  }
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace plumb
