#include "retry.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iomanip>
#include <sstream>

namespace server {

Verdict verdict_on(unsigned status, const std::string& body) {
  if (status == 200) return Verdict::answered;
  // An account without money answers 429 for ever.
  if (status == 429) return body.find("insufficient_quota") == std::string::npos ? Verdict::again : Verdict::refused;
  if (status == 408 || status == 409 || status == 425) return Verdict::again;
  if (status == 501 || status == 505) return Verdict::refused;
  if (status >= 500) return Verdict::again;
  // A redirection is never followed: it would hand the key to another server.
  if (status >= 300 && status < 400) return Verdict::refused;
  if (status == 401 || status == 402 || status == 403 || status == 404 || status == 405) return Verdict::refused;
  return Verdict::failed;
}

std::optional<double> asked_to_wait(const std::string& retry_after, const std::string& retry_after_ms,
                                    std::time_t now) {
  const auto number = [](const std::string& text) -> std::optional<double> {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    const bool whole = !text.empty() && end == text.c_str() + text.size();
    return whole && std::isfinite(value) && value >= 0 ? std::optional(value) : std::nullopt;
  };
  if (const auto milliseconds = number(retry_after_ms)) return *milliseconds / 1000;
  if (const auto seconds = number(retry_after)) return seconds;
  std::tm date{};
  std::istringstream in(retry_after);
  in.imbue(std::locale::classic());
  in >> std::get_time(&date, "%a, %d %b %Y %H:%M:%S GMT");
  if (in.fail()) return std::nullopt;
  return std::max(0.0, std::difftime(::timegm(&date), now));
}

double wait_before(std::int64_t attempt, std::optional<double> asked, const RetryLimits& limits, double uniform) {
  const double doubled = std::ldexp(limits.first_wait, static_cast<int>(std::min<std::int64_t>(attempt - 2, 60)));
  const double own = std::min(doubled, limits.longest_wait) * (1 - 0.25 * uniform);
  if (!asked || *asked <= 0 || *asked > longest_asked) return own;
  return std::max(own, *asked + 0.05 * uniform);  // never before the time asked for
}

}  // namespace server
