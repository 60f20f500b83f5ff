#include "framework/core/artifacts/checked_rows.h"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <functional>
#include <vector>

#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/test_folder.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

// Rows 1, 2, …, two a block, from the first that is not there yet.
void write_blocks(CheckedRows& rows, std::size_t until) {
  while (rows.count() < until) {
    for (std::size_t i = 1; i <= 2; ++i) rows.write(Value::map({{"n", static_cast<std::int64_t>(rows.count() + i)}}));
    rows.end_block(true);
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(checked_rows)

// What a power failure, a damaged disk or a hand can do to the file, and how many rows stay.
BOOST_AUTO_TEST_CASE(whatever_happened_to_the_file_it_ends_with_the_same_bytes) {
  struct Case {
    const char* what;
    std::function<std::string(std::string)> edit;
    std::size_t kept;
    bool said;
  };
  const std::vector<Case> cases{
      {"nothing", [](std::string s) { return s; }, 6, false},
      {"half a last line", [](std::string s) { return s.substr(0, s.size() - 3); }, 4, true},
      {"zeros at the end", [](std::string s) { return s + std::string(4096, '\0'); }, 6, false},
      {"a row twice", [](std::string s) { return s + s.substr(0, 8); }, 6, false},
      {"zeros in the middle", [](std::string s) { return s.replace(18, 4, 4, '\0'); }, 2, true},
      {"a digit of the first row", [](std::string s) { return s.replace(5, 1, "7"); }, 0, true},
      {"a foreign line first", [](std::string s) { return "not json\n" + s; }, 0, true},
      {"empty lines first", [](std::string s) { return "\n\n" + s; }, 0, true},
      {"all gone", [](const std::string&) { return std::string(); }, 0, true},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.what) {
      test::Folder folder;
      const fs::path file = folder / "rows.jsonl";
      {
        CheckedRows rows(file);
        write_blocks(rows, 6);
      }
      const std::string whole = read_file(file).value();
      std::ofstream(file, std::ios::binary) << c.edit(whole);
      CheckedRows rows(file);
      BOOST_TEST(rows.count() == c.kept);
      BOOST_TEST(rows.damage().empty() != c.said, rows.damage());
      if (c.said) BOOST_TEST(rows.damage().find(file.string() + ": from row " + std::to_string(c.kept + 1)) == 0U);
      write_blocks(rows, 6);
      BOOST_TEST(read_file(file).value() == whole);
      CheckedRows again(file);
      BOOST_TEST(again.count() == 6U);
      BOOST_TEST(again.damage().empty());
    }
  }
}

BOOST_AUTO_TEST_CASE(rows_without_checksums_are_made_again) {
  test::Folder folder;
  const fs::path file = folder / "rows.jsonl";
  std::ofstream(file) << "{\"n\":1}\n{\"n\":2}\n";
  const CheckedRows rows(file);
  BOOST_TEST(rows.count() == 0U);
  BOOST_TEST(rows.damage().find("no checksum") != std::string::npos);
  BOOST_TEST(fs::file_size(file) == 0U);
}

BOOST_AUTO_TEST_CASE(damaged_checksums_cost_their_rows_and_no_more) {
  test::Folder folder;
  const fs::path file = folder / "rows.jsonl", sums = folder / "rows.jsonl.sums";
  {
    CheckedRows rows(file);
    write_blocks(rows, 6);
  }
  const std::string whole = read_file(sums).value();
  std::ofstream(sums, std::ios::binary) << whole.substr(0, whole.size() - 20);  // torn by a kill
  BOOST_TEST(CheckedRows(file).count() == 4U);
  std::ofstream(sums, std::ios::binary) << "{\"end\":-1,\"sha256\":\"\"}\n";
  CheckedRows rows(file);
  BOOST_TEST(rows.count() == 0U);
  BOOST_TEST(!rows.damage().empty());
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace plumb
