// The parts that need no server. tests/judging drives the client against one.
#include <sys/resource.h>

#include <boost/test/unit_test.hpp>
#include <functional>

#include "client.h"
#include "url.h"

namespace {

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(servers)

BOOST_AUTO_TEST_CASE(addresses_are_taken_apart) {
  const auto url = server::parse_url("https://api.example.org/v1/");
  BOOST_TEST(url.tls);
  BOOST_TEST(url.host == "api.example.org");
  BOOST_TEST(url.port == "443");
  BOOST_TEST(url.path == "/v1");
  BOOST_TEST(server::authority(url) == "api.example.org");
  const auto six = server::parse_url("http://[::1]:8000");
  BOOST_TEST(six.host == "::1");
  BOOST_TEST(server::authority(six) == "[::1]:8000");
  BOOST_TEST(server::is_loopback(six));
  BOOST_TEST(server::is_loopback(server::parse_url("http://127.3.2.1/v1")));
  BOOST_TEST(!server::is_loopback(url));
  for (const char* bad :
       {"api.example.org", "ftp://a/", "https://", "https://sk-secret1@host/", "https://host?key=sk-secret1",
        "https://host:99999/", "https://host:/", "https://host:0/", "https://ho st/", "https://ho%73t/", "nonsense",
        "https://host/\r\nX: y", "https://ho\xc3\xb6st/"}) {
    const std::string said = message_of([&] { server::parse_url(bad); });
    BOOST_TEST(said.find("wanted https://") != std::string::npos, bad);
    BOOST_TEST(said.find("secret") == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(statuses_are_judged_as_the_readme_says) {
  using server::Verdict;
  const auto is = [](unsigned status, Verdict wanted) { return server::verdict_on(status, "{}") == wanted; };
  BOOST_TEST(is(200, Verdict::answered));
  for (const unsigned status : {408U, 409U, 425U, 429U, 500U, 502U, 503U, 504U, 529U})
    BOOST_TEST(is(status, Verdict::again), status);
  for (const unsigned status : {301U, 302U, 307U, 308U, 401U, 402U, 403U, 404U, 405U, 501U})
    BOOST_TEST(is(status, Verdict::refused), status);
  for (const unsigned status : {400U, 413U, 422U}) BOOST_TEST(is(status, Verdict::failed), status);
  BOOST_TEST((server::verdict_on(429, R"({"error":{"code":"insufficient_quota"}})") == Verdict::refused));
}

BOOST_AUTO_TEST_CASE(waits_double_up_to_a_bound_and_a_server_may_ask_for_its_own) {
  const server::RetryLimits limits{0.5, 10};
  BOOST_TEST(server::wait_before(2, {}, limits, 0) == 0.5);
  BOOST_TEST(server::wait_before(3, {}, limits, 0) == 1.0);
  BOOST_TEST(server::wait_before(5, {}, limits, 0) == 4.0);
  BOOST_TEST(server::wait_before(90, {}, limits, 0) == 10.0);
  BOOST_TEST(server::wait_before(5, {}, limits, 0.999) > 3.0);
  BOOST_TEST(server::wait_before(2, 7.0, limits, 0) == 7.0);
  BOOST_TEST(server::wait_before(2, 7.0, limits, 0.999) >= 7.0);
  BOOST_TEST(server::wait_before(2, 60.0, limits, 0) == 60.0);
  BOOST_TEST(server::wait_before(5, 0.25, limits, 0) == 4.0);  // never below our own
  for (const double senseless : {0.0, -3.0, 60.5, 1e9}) BOOST_TEST(server::wait_before(3, senseless, limits, 0) == 1.0);
  BOOST_TEST(server::asked_to_wait("3", "", 0).value() == 3.0);
  BOOST_TEST(server::asked_to_wait("3", "250", 0).value() == 0.25);
  BOOST_TEST(server::asked_to_wait("Sun, 06 Nov 1994 08:49:37 GMT", "", 784111767).value() ==
             10.0);  // RFC 9110's example date
  BOOST_TEST(server::asked_to_wait("Sun, 06 Nov 1994 08:49:37 GMT", "", 784111999).value() == 0.0);
  BOOST_TEST(!server::asked_to_wait("", "", 0).has_value());
  BOOST_TEST(!server::asked_to_wait("soon", "", 0).has_value());
  BOOST_TEST(!server::asked_to_wait("-1", "nan", 0).has_value());
}

BOOST_AUTO_TEST_CASE(a_key_comes_from_the_environment_and_is_never_repeated) {
  BOOST_TEST(server::wrong_variable("JUDGE_KEY_2").empty());
  BOOST_TEST(server::wrong_variable("").empty());
  for (const char* key : {"sk-secret1", "2KEY", "judge key", "x"}) {
    BOOST_TEST(!server::wrong_variable(key).empty(), key);
    BOOST_TEST(server::wrong_variable(key).find("secret") == std::string::npos);
  }
  ::setenv("PLUMB_UNIT_KEY", "sk-secret1", 1);
  const server::Secret key("PLUMB_UNIT_KEY", "someone");
  rlimit core{1, 1};
  BOOST_TEST(::getrlimit(RLIMIT_CORE, &core) == 0);
  BOOST_TEST(core.rlim_cur == 0U);  // a core dump would hold it
  BOOST_TEST(key.header() == "Bearer sk-secret1");
  BOOST_TEST(key.strike("your key sk-secret1 (sk-secret1) is wrong") == "your key *** (***) is wrong");
  BOOST_TEST(key.strike("your key SK-SECRET1 and sk-secre***") == "your key *** and ******");
  BOOST_TEST(key.strike("sk-secr is 7 letters") == "sk-secr is 7 letters");
  for (const char* bad : {"", "short", "sk-secret1\r\nX: y", "sk secret1"}) {
    ::setenv("PLUMB_UNIT_KEY", bad, 1);
    const std::string said = message_of([] { server::Secret("PLUMB_UNIT_KEY", "someone"); });
    BOOST_TEST(said.find("environment variable") != std::string::npos);
    BOOST_TEST(said.find("secret") == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(an_error_is_shown_by_its_message) {
  BOOST_TEST(server::error_message(R"({"error":{"message":"no such model"}})") == "no such model");
  BOOST_TEST(server::error_message(R"({"error":"no such model"})") == "no such model");
  BOOST_TEST(server::error_message("<html>") == "<html>");
}

BOOST_AUTO_TEST_SUITE_END()
