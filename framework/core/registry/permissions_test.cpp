#include "framework/core/registry/permissions.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "framework/core/artifacts/test_folder.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

struct Library {
  Library() {
    fs::create_directories(folder / "a/b");
    std::ofstream(file) << "code";
  }
  [[nodiscard]] bool refused_for(const fs::path& named, const fs::path& culprit) const {
    const std::string problem = replaceable_by_others(named);
    return problem.find(" " + fs::canonical(culprit.parent_path()).string() + "/" + culprit.filename().string()) !=
           std::string::npos;
  }

  test::Folder folder;
  fs::path file = folder / "a/b/x.plumb.so";
};

}  // namespace

BOOST_AUTO_TEST_SUITE(permissions)

BOOST_AUTO_TEST_CASE(what_only_its_owner_can_replace_is_fine) {
  const Library library;
  BOOST_TEST(replaceable_by_others(library.file) == "");
  fs::create_symlink("b/x.plumb.so", library.folder / "a/link");
  fs::create_directory_symlink(library.folder / "a", library.folder / "way");
  BOOST_TEST(replaceable_by_others(library.folder / "way/./b/../link") == "");
  ::chmod((library.folder / "a").c_str(), 01777);  // as /tmp
  BOOST_TEST(replaceable_by_others(library.file) == "");
}

BOOST_AUTO_TEST_CASE(any_folder_above_that_everybody_may_write_to_refuses_it) {
  const Library library;
  for (const char* place : {"a/b/x.plumb.so", "a/b", "a"}) {
    const fs::path open = library.folder / place;
    ::chmod(open.c_str(), 0777);
    BOOST_TEST(library.refused_for(library.file, open), replaceable_by_others(library.file));
    ::chmod(open.c_str(), 0755);
  }
}

BOOST_AUTO_TEST_CASE(a_link_does_not_hide_where_the_file_lies) {
  const Library library;
  fs::create_directory(library.folder / "own");
  fs::create_symlink(library.file, library.folder / "own/x.plumb.so");
  ::chmod((library.folder / "a").c_str(), 0777);
  BOOST_TEST(library.refused_for(library.folder / "own/x.plumb.so", library.folder / "a"));
}

BOOST_AUTO_TEST_CASE(a_file_of_another_user_is_refused) {
  const Library library;
  if (::geteuid() != 0) {
    BOOST_TEST_MESSAGE("skipped: only root can give a file away");
    return;
  }
  for (const char* place : {"a/b/x.plumb.so", "a"}) {
    BOOST_REQUIRE(::chown((library.folder / place).c_str(), 65534, 65534) == 0);
    BOOST_TEST(library.refused_for(library.file, library.folder / place));
    BOOST_REQUIRE(::chown((library.folder / place).c_str(), 0, 0) == 0);
  }
  fs::create_symlink("x.plumb.so", library.folder / "a/b/link.plumb.so");
  BOOST_REQUIRE(::lchown((library.folder / "a/b/link.plumb.so").c_str(), 65534, 65534) == 0);
  BOOST_TEST(library.refused_for(library.folder / "a/b/link.plumb.so", library.folder / "a/b/link.plumb.so"));
}

BOOST_AUTO_TEST_CASE(what_is_no_file_is_said) {
  const Library library;
  BOOST_TEST(replaceable_by_others(library.folder / "a") == "it is no regular file");
  BOOST_TEST(replaceable_by_others(library.folder / "none").ends_with("No such file or directory"));
  fs::create_symlink("loop", library.folder / "loop");
  BOOST_TEST(replaceable_by_others(library.folder / "loop").ends_with("Too many levels of symbolic links"));
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace plumb
