// Whether a text has a part; where not, the test's log shows both.
//
//   BOOST_TEST(contains(page, "<svg"));
//
// Thread contract: one thread.
#pragma once

#include <boost/test/unit_test.hpp>
#include <string>

namespace plumb::test {

inline bool contains(const std::string& text, const std::string& part) {
  const bool found = text.find(part) != std::string::npos;
  if (!found) BOOST_TEST_MESSAGE("not found: " << part << "\nin:\n" << text);
  return found;
}

}  // namespace plumb::test
