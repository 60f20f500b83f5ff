// When a request is asked again, and after how long.
//
//   if (verdict_on(status, body) == Verdict::again) sleep(wait_before(attempt, asked, limits, random.uniform()));
//
// Thread contract: functions are [any].
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>

namespace server {

struct RetryLimits {
  double first_wait = 0.5;   // seconds before the second attempt; doubles from attempt to attempt
  double longest_wait = 60;  // seconds
};

enum class Verdict {
  answered,  // 200
  again,     // the server is busy or broken for now
  failed,    // this request will not do, others may
  refused    // no request will do: the key, the address or the model is wrong
};
Verdict verdict_on(unsigned status, const std::string& body);

// Seconds that a server asks to wait, from its headers Retry-After (seconds or a date) and Retry-After-Ms; empty texts
// are headers that are absent.
std::optional<double> asked_to_wait(const std::string& retry_after, const std::string& retry_after_ms, std::time_t now);

// What a server asks for is taken up to here, in seconds; more is a mistake or a trap, and our own wait holds.
constexpr double longest_asked = 60;

// Seconds before attempt `attempt` (the second is 2): exponential, less up to a quarter by `uniform` in [0, 1), so that
// clients which failed together do not come back together; longer where the server asks for longer, up to
// longest_asked. A server that asks for less does not make anybody hurry: a clock that is ahead says "now" to all.
double wait_before(std::int64_t attempt, std::optional<double> asked, const RetryLimits& limits, double uniform);

}  // namespace server
