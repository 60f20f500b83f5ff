#include "framework/core/telemetry/output.h"

#include <boost/test/unit_test.hpp>
#include <iostream>
#include <sstream>

namespace plumb {
namespace {

// Standard output into a string, below the filter.
struct Captured {
  Captured() : before(std::cout.rdbuf(text.rdbuf())) {}
  ~Captured() { std::cout.rdbuf(before); }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;
  std::ostringstream text;
  std::streambuf* before;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(output)

BOOST_AUTO_TEST_CASE(what_acts_on_a_terminal_is_shown_and_all_else_is_as_it_was) {
  const Captured captured;
  {
    const FilteredOutput filtered;
    std::cout << "title \x1b]0;PWNED\x07 clip \xC2\x9D"
              << "52 \u202Eright\n"
              << std::string("größer 日本 😀") << '\n';
    std::cout << "\xE6\x97"
              << "\xA5" << '\xF0' << '\x9F' << "\x98\x80" << std::flush;  // characters in pieces
    unfiltered_output() << R"({"a":")"
                        << "\xE2\x80\xA8"
                        << "\"}\n"
                        << std::flush;
  }
  std::cout << "\x1b[0m";
  BOOST_TEST(captured.text.str() ==
             "title \uFFFD]0;PWNED\uFFFD clip \uFFFD52 \uFFFDright\ngrößer 日本 😀\n日😀{\"a\":\"\u2028\"}\n\x1b[0m");
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace plumb
