#include "framework/core/sweep/sweep_record.h"

#include <boost/test/unit_test.hpp>
#include <iterator>

#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/test_folder.h"
#include "framework/core/pipeline/test_recipe.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

BOOST_AUTO_TEST_SUITE(sweep_record)

BOOST_AUTO_TEST_CASE(a_table_that_no_sweep_made_is_not_replaced) {
  const test::Folder scratch;
  test::TestRecipe recipe("grid");
  const fs::path folder = scratch / "grid";
  fs::create_directories(folder);
  write_file(folder / "results.csv", "my own table").value();
  BOOST_CHECK_THROW(SweepRecord(folder, recipe.get(), "", Sweep{}), Error);
  BOOST_TEST(std::distance(fs::directory_iterator(folder), {}) == 1);
  fs::remove(folder / "results.csv");
  { const SweepRecord record(folder, recipe.get(), "", Sweep{}); }
  write_file(folder / "results.csv", "the sweep's").value();
  BOOST_CHECK_NO_THROW(SweepRecord(folder, recipe.get(), "", Sweep{}));
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace
}  // namespace plumb
