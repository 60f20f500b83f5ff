#include "client.h"

#include <plumb/error.h>
#include <plumb/value.h>
#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <random>
#include <thread>

namespace server {
namespace {

// Spreads clients apart; no result depends on it.
double uniform() {
  thread_local std::minstd_rand engine{std::random_device{}()};
  return std::uniform_real_distribution<>(0, 1)(engine);
}

}  // namespace

plumb::Params<Access> Access::params() {
  using A = Access;
  plumb::Params<A> p{"how a server is spoken to"};
  p.add(&A::key_from, "key_from", "name of the environment variable that holds the key; empty: no key is sent");
  p.add(&A::ca_file, "ca_file", "PEM file of the authorities to trust instead of the system's").path();
  p.add(&A::concurrency, "concurrency", "requests under way at once").at_least(1).at_most(256);
  p.add(&A::attempts, "attempts", "how often one request is sent at most").at_least(1).at_most(100);
  p.add(&A::timeout, "timeout", "of one request, from its first byte to the answer's last")
      .above(0)
      .at_most(86400)
      .unit("s");
  p.add(&A::connect_timeout, "connect_timeout", "for the name, the connection and TLS, each")
      .above(0)
      .at_most(3600)
      .unit("s");
  p.add(&A::first_wait, "first_wait", "before the second attempt; doubles from attempt to attempt")
      .at_least(0)
      .at_most(3600)
      .unit("s");
  p.add(&A::longest_wait, "longest_wait", "between two attempts; a server that asks for more gets it, up to 60 s")
      .at_least(0)
      .at_most(3600)
      .unit("s");
  p.check([](const A& a) { return wrong_variable(a.key_from); });
  return p;
}

std::string Access::wrong(const std::string& url) const {
  try {
    const Url to = parse_url(url);
    const bool seen_by_others = !key_from.empty() && !to.tls && !is_loopback(to);
    return seen_by_others ? "url: the key would travel in the clear; give a url with https://" : "";
  } catch (const plumb::Error& error) {
    return error.what();
  }
}

Client::Client(std::string who, const std::string& url, const Access& access, plumb::Host& host)
    : who_(std::move(who)),
      access_(access),
      host_(host),
      url_(parse_url(url)),
      key_(access.key_from, who_),
      trust_(in_recipe(access.ca_file, host), who_),
      pool_(
          [this] {
            return std::make_unique<Connection>(url_, trust_, TimeLimits{access_.connect_timeout, access_.timeout},
                                                [this] { return host_.cancelled(); });
          },
          access.concurrency) {}

Outcome Client::ask(HttpRequest request, const std::function<std::string(const std::string& body)>& accept) {
  request.target = url_.path + request.target;
  if (!key_.empty()) request.headers.emplace_back("Authorization", key_.header());
  const RetryLimits limits{access_.first_wait, access_.longest_wait};
  std::string last;  // why the last attempt failed
  std::optional<double> asked;
  for (std::int64_t attempt = 1; attempt <= access_.attempts; ++attempt) {
    if (attempt > 1) wait(wait_before(attempt, asked, limits, uniform()));
    asked.reset();
    try {
      const HttpAnswer answer = send(request);
      const std::string said = "status " + std::to_string(answer.status) + ": " + shown(answer.body);
      const Verdict verdict = verdict_on(answer.status, answer.body);
      if (verdict == Verdict::failed) return {verdict, said};
      if (verdict == Verdict::refused) {
        return {verdict, "the server refuses every request: " + said +
                             "; check url, model and key_from (a redirection is not followed)"};
      }
      if (verdict == Verdict::answered) {
        const std::string wrong = accept(answer.body);
        if (wrong.empty()) return {};
        last = key_.strike(wrong) + ": " + shown(answer.body);
      } else {
        if (answer.status >= 500) ++outages_;
        asked = asked_to_wait(answer.retry_after, answer.retry_after_ms, std::time(nullptr));
        last = said;
      }
    } catch (const Broken& error) {
      ++outages_;
      last = error.what();
    }
  }
  return {Verdict::again, "no answer after " + std::to_string(access_.attempts) + " attempts; the last: " + last};
}

// The key is struck out before the text is cut: half a key would not be found any more.
std::string Client::shown(const std::string& body) const {
  constexpr std::size_t longest = 300;
  const std::string message = key_.strike(error_message(body));
  return message.size() <= longest ? message : message.substr(0, longest).append("…");
}

HttpAnswer Client::send(const HttpRequest& request) {
  ++sent_;
  try {
    return pool_.ask(request);
  } catch (const Untrusted& error) {
    throw plumb::Error(plumb::ErrorCode::run_failed, who_ + ": " + error.what() +
                                                         "; nothing was sent. `ca_file` names further authorities to "
                                                         "trust");
  }
}

void Client::wait(double seconds) const {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < end) {
    if (host_.cancelled()) throw Stopped{};
    const std::chrono::duration<double> left = end - std::chrono::steady_clock::now();
    std::this_thread::sleep_for(std::min<std::chrono::duration<double>>(left, std::chrono::milliseconds(100)));
  }
}

std::string in_recipe(const std::string& path, const plumb::Host& host) {
  return path.empty() ? path : (std::filesystem::path(host.recipe_folder()) / path).string();
}

std::string error_message(const std::string& body) {
  std::string message = body;
  const auto find = [](const plumb::Value* map, const char* key) {
    return map != nullptr && map->is_map() ? map->find(key) : nullptr;
  };
  try {
    const plumb::Value root = plumb::parse_json(body, "error");
    const plumb::Value* error = find(&root, "error");
    const plumb::Value* text = error != nullptr && error->is_string() ? error : find(error, "message");
    if (text != nullptr && text->is_string()) message = text->as_string();
  } catch (const plumb::Error&) {  // not JSON: a proxy's page
  }
  return message;
}

}  // namespace server
