// The page about optimizers says what the classes say.
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>

#include "plumb/tensor/optimizer.h"
#include "tests/plugins/plumb_command.h"

using namespace plumb;
using namespace plumb::test;

namespace {

std::string listed(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> out;
  std::istringstream cells(line.substr(1));
  for (std::string cell; std::getline(cells, cell, '|');) {
    const auto first = cell.find_first_not_of(' '), last = cell.find_last_not_of(' ');
    out.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(batches)

BOOST_AUTO_TEST_CASE(the_page_about_optimizers_has_every_class) {
  std::map<std::string, std::vector<std::string>> rows;
  std::ifstream page(std::string(PLUMB_SOURCE_DIR) + "/sdk/docs/optimizer.md");
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("| `")) continue;
    const auto cells = cells_of(line);
    rows[cells.front()] = cells;
  }
  std::size_t classes = 0;
  OptimizerClasses::each([&]<class Class>(std::type_identity<Class>) {
    const BatchInfo info = Class::batch_info();
    ++classes;
    BOOST_TEST_CONTEXT(info.by) {
      const auto row = rows.find("`" + info.by + "`");
      BOOST_REQUIRE(row != rows.end());
      BOOST_REQUIRE_EQUAL(row->second.size(), 4u);
      BOOST_TEST(row->second[2] == listed(info.takes));
      BOOST_TEST(row->second[3] == listed(info.needs));
    }
  });
  BOOST_TEST(rows.size() == classes);
}

BOOST_AUTO_TEST_SUITE_END()
