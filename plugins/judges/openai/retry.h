// When a request is asked again, and after how long.
//
//   if (worth_retrying(response.status, response.body)) sleep(wait_before(attempt, asked_to_wait, limits, uniform));
//
// Thread contract: functions are [any].
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>

namespace openai {

struct RetryLimits {
  std::int64_t attempts = 8;  // requests in all, the first among them
  double first_wait = 0.5;    // seconds before the second attempt; doubles from attempt to attempt
  double longest_wait = 60;   // seconds; a server that asks for more is waited for up to ten times this
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

// Seconds before attempt `attempt` (the second is 2): what the server asks for, else exponential; `uniform` in [0, 1)
// takes off up to a quarter, so that clients which failed together do not come back together.
double wait_before(std::int64_t attempt, std::optional<double> asked, const RetryLimits& limits, double uniform);

}  // namespace openai
