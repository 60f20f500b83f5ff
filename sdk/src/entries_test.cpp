#include "plumb/entries.h"

#include <boost/test/unit_test.hpp>

using plumb::Value;

BOOST_AUTO_TEST_SUITE(entries)

BOOST_AUTO_TEST_CASE(entries_of_another_type_are_as_good_as_none) {
  const Value map =
      plumb::parse_json(R"({"n": 3, "x": 0.5, "on": true, "name": "a", "list": ["a", "b"], "odd": ["a", 1]})");
  BOOST_TEST((plumb::entry<std::int64_t>(map, "n") == 3));
  BOOST_TEST((plumb::entry<double>(map, "n") == 3.0));
  BOOST_TEST((plumb::entry<double>(map, "x") == 0.5));
  BOOST_TEST(!plumb::entry<std::int64_t>(map, "x").has_value());
  BOOST_TEST((plumb::entry<bool>(map, "on") == true));
  BOOST_TEST(plumb::entry<std::string>(map, "name").value_or("") == "a");
  BOOST_TEST(plumb::entry<std::string>(map, "n").value_or("none") == "none");
  BOOST_TEST((plumb::entry<std::vector<std::string>>(map, "list") == std::vector<std::string>{"a", "b"}));
  BOOST_TEST(!plumb::entry<std::vector<std::string>>(map, "odd").has_value());
  BOOST_TEST(!plumb::entry<bool>(map, "absent").has_value());
  BOOST_TEST(!plumb::entry<bool>(Value(3), "on").has_value());
  BOOST_TEST(!plumb::entry<bool>(Value(), "on").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
