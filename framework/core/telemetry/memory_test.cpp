#include "framework/core/telemetry/memory.h"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <limits>

#include "framework/core/artifacts/test_folder.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

struct Machine {
  Machine() { put("proc/meminfo", "MemTotal:  64000 kB\nMemFree:  100 kB\nMemAvailable:  32000 kB\n"); }

  void put(const fs::path& file, const std::string& text) {
    fs::create_directories((folder / file).parent_path());
    std::ofstream(folder / file) << text;
  }
  [[nodiscard]] std::uint64_t left() const { return memory_at_hand(folder.path()) / 1024; }  // KiB

  test::Folder folder;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(memory, Machine)

BOOST_AUTO_TEST_CASE(the_machine_says_what_is_available) {
  BOOST_TEST(left() == 32000U);
  fs::remove(folder / "proc/meminfo");
  BOOST_TEST(memory_at_hand(folder.path()) == std::numeric_limits<std::uint64_t>::max());
}

// A limit of 20,000 KiB of which 16,000 are used, 6,000 of them page cache; the group above it leaves less.
BOOST_AUTO_TEST_CASE(a_control_group_leaves_less) {
  put("proc/self/cgroup", "0::/jobs/seven\n");
  const fs::path group = "sys/fs/cgroup/jobs/seven";
  put(group / "memory.max", "20480000\n");
  put(group / "memory.current", "16384000\n");
  put(group / "memory.stat", "anon 10240000\nfile 6144000\ninactive_file 6144000\nactive_file 0\n");
  BOOST_TEST(left() == 10000U);
  put("sys/fs/cgroup/jobs/memory.max", "max\n");
  put("sys/fs/cgroup/jobs/memory.current", "16384000\n");
  BOOST_TEST(left() == 10000U);
  put("sys/fs/cgroup/jobs/memory.max", "18432000\n");
  BOOST_TEST(left() == 2000U);
}

BOOST_AUTO_TEST_CASE(a_control_group_of_the_first_version_counts_too) {
  put("proc/self/cgroup", "9:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/\n");
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "8192000\n");  // a container sees its own group at the top
  put("sys/fs/cgroup/memory/memory.usage_in_bytes", "1024000\n");
  put("sys/fs/cgroup/memory/memory.stat", "cache 0\ntotal_inactive_file 0\n");
  BOOST_TEST(left() == 7000U);
}

BOOST_AUTO_TEST_CASE(this_process_has_a_peak_and_this_machine_memory) {
  BOOST_TEST(peak_memory() > 1000000U);
  BOOST_TEST(memory_at_hand() > 1000000U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace plumb
