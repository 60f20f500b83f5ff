#include "tools/cli/launcher.h"

#include <boost/test/unit_test.hpp>

#include "plumb/error.h"

namespace plumb::cli {
namespace {

using Words = std::vector<std::string>;

std::string refusal(const std::string& text) {
  try {
    static_cast<void>(launcher_words(text));
  } catch (const Error& error) {
    BOOST_CHECK(error.code() == ErrorCode::recipe);
    return error.what();
  }
  return "";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(launcher)

// As `sh -c 'printf "%s\n" …'` splits them.
BOOST_AUTO_TEST_CASE(words_are_those_of_a_shell) {
  const Words words = launcher_words(R"(  /bin/sh -n1   "two words" 'a "b' c\ d "e\"f" g'h'i "" )");
  const Words wanted{"/bin/sh", "-n1", "two words", "a \"b", "c d", "e\"f", "ghi", ""};
  BOOST_TEST(words == wanted, boost::test_tools::per_element());
  BOOST_TEST(launcher_words("env A=1").at(0).ends_with("/env"));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_started_is_refused) {
  BOOST_TEST(refusal(" ").find("no word") != std::string::npos);
  BOOST_TEST(refusal("srun 'a").find("a quote ' has no end") != std::string::npos);
  BOOST_TEST(refusal("no-such-program -n1").find("no program no-such-program here in any folder of PATH") !=
             std::string::npos);
  BOOST_TEST(refusal("/etc/passwd").find("no program /etc/passwd here") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace plumb::cli
