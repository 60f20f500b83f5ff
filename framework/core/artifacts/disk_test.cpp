#include "framework/core/artifacts/disk.h"

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <csignal>
#include <fstream>

#include "framework/core/artifacts/file_system_error.h"
#include "framework/core/artifacts/test_folder.h"

namespace plumb {

BOOST_AUTO_TEST_SUITE(disk)

BOOST_AUTO_TEST_CASE(sha256_agrees_with_fips_180_examples) {
  BOOST_TEST(sha256_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  BOOST_TEST(sha256_of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  test::Folder folder;
  std::ofstream(folder / "million", std::ios::binary) << std::string(1000000, 'a');
  BOOST_TEST(sha256_of_file(folder / "million").value() ==
             "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

BOOST_AUTO_TEST_CASE(write_file_replaces_atomically_and_leaves_no_temporary) {
  test::Folder folder;
  write_file(folder / "a", "one").value();
  write_file(folder / "a", "two").value();
  BOOST_TEST(read_file(folder / "a").value() == "two");
  BOOST_TEST(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

BOOST_AUTO_TEST_CASE(a_failed_write_keeps_the_old_content) {
  test::Folder folder;
  const auto file = folder / "a";
  write_file(file, "old").value();
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  auto* handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const auto written = write_file(file, std::string(5000, 'x'));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  BOOST_REQUIRE(!written);
  BOOST_CHECK(written.error().code() == ErrorCode::data);
  BOOST_TEST(std::string(written.error().what()) ==
             "cannot write " + file.string() +
                 ": File too large (3.9 KiB more were wanted; `ulimit -f` limits the size of a file)");
  BOOST_TEST(read_file(file).value() == "old");
  BOOST_TEST(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

BOOST_AUTO_TEST_CASE(errors_name_the_file) {
  BOOST_TEST(std::string(read_file("/nonexistent/x").error().what()) ==
             "cannot open /nonexistent/x: No such file or directory");
  BOOST_TEST(std::string(read_file("/").error().what()) == "cannot read /: Is a directory");
  const std::string full = disk_error("write", "/nonexistent/x", ENOSPC, 12288).what();
  BOOST_TEST(full.starts_with("cannot write /nonexistent/x: No space left on device (12.0 KiB more were wanted, "));
}

// The file system named is the one of the file that could not be made, also when a call had two paths.
BOOST_AUTO_TEST_CASE(a_full_file_system_is_named_and_files_that_ran_out_are_not_bytes) {
  namespace fs = std::filesystem;
  test::Folder folder;
  if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=1m,nr_inodes=4") != 0) {
    BOOST_TEST_MESSAGE("skipped: a small tmpfs needs root");
    return;
  }
  const std::string place = "file system at " + fs::canonical(folder.path()).string();
  const fs::path file = folder / "a";
  BOOST_TEST(std::string(disk_error("write", file, ENOSPC, 12288).what())
                 .find("12.0 KiB more were wanted, 1.0 MiB are free there, on the " + place) != std::string::npos);
  BOOST_TEST(std::string(disk_error("create", file, ENOSPC).what()).find("0 bytes") == std::string::npos);
  for (int i = 0; i < 3; ++i) std::ofstream(folder / std::to_string(i)) << "";
  std::string said;
  try {
    fs::create_symlink("/nonexistent/target", folder / "link");
  } catch (const fs::filesystem_error& error) {
    said = disk_error("link", error).what();
  }
  ::umount2(folder.path().c_str(), MNT_DETACH);
  BOOST_TEST(said.starts_with("cannot link " + (folder / "link").string() + ": No space left on device"), said);
  BOOST_TEST(said.find("can hold no more files: all of its 4 entries are used") != std::string::npos, said);
  BOOST_TEST(said.find(place) != std::string::npos, said);
}

BOOST_AUTO_TEST_CASE(sizes_read_well) {
  BOOST_TEST(in_bytes(0) == "0 bytes");
  BOOST_TEST(in_bytes(1) == "1 byte");
  BOOST_TEST(in_bytes(1023) == "1023 bytes");
  BOOST_TEST(in_bytes(1536) == "1.5 KiB");
  BOOST_TEST(in_bytes((std::uint64_t{1} << 20) - 1) == "1.0 MiB");
  BOOST_TEST(in_bytes(std::uint64_t{5} << 30) == "5.0 GiB");
  BOOST_TEST(free_bytes("/nonexistent/folder") > 0U);
}

// None of these may be waited for or read to its end, as it has none.
BOOST_AUTO_TEST_CASE(what_is_no_regular_file_is_refused_at_once) {
  const test::Folder folder;
  const std::string fifo = (folder / "fifo").string();
  BOOST_REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  BOOST_TEST(std::string(read_file(fifo).error().what()) == fifo + " is a FIFO; wanted a regular file");
  BOOST_TEST(std::string(sha256_of_file("/dev/zero").error().what()) == "/dev/zero is a device; wanted a regular file");
  BOOST_TEST(std::string(read_file("/dev/zero").error().what()) == "/dev/zero is a device; wanted a regular file");
  BOOST_TEST(!read_file(folder.path()));
  BOOST_TEST(unreadable(fifo) == fifo + " is a FIFO; wanted a regular file");
  BOOST_TEST(unreadable("/proc/self").find("/proc/self is of a file system that the kernel makes up") == 0U);
  BOOST_TEST(unreadable("/").find("/ holds ") == 0U, unreadable("/"));
  BOOST_TEST(unreadable(folder.path()).empty());
  BOOST_TEST(unreadable(folder / "absent").empty());
}

BOOST_AUTO_TEST_CASE(files_below_a_folder_are_regular_and_not_hidden) {
  const test::Folder folder;
  std::filesystem::create_directories(folder / "b" / ".git");
  for (const char* name : {"z", "b/a", ".hidden", "b/.git/config"}) std::ofstream(folder / name) << "x";
  BOOST_REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  const std::vector<std::filesystem::path> wanted{folder / "b/a", folder / "z"};
  BOOST_TEST((files_below(folder.path()).value() == wanted));
}

BOOST_AUTO_TEST_CASE(temporaries_of_a_dead_process_are_recognised) {
  BOOST_TEST(is_abandoned_temporary("/a/.run.json.plumb-tmp-123"));
  BOOST_TEST(!is_abandoned_temporary("/a/run.json"));
  BOOST_TEST(!is_abandoned_temporary("/a/.hidden"));
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace plumb
