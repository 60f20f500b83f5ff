// Checks for a plugin's unit tests, without a test framework.
//
//   int main() {
//     plumb::testing::Checks check;
//     check.equal(selection.pairs.size(), 1U, "pairs of a group with one gap");
//     check.near(loss, 0.6931, 1e-4, "loss at the reference");
//     check.throws(plumb::ErrorCode::recipe, [&] { make({{"beta", -1.0}}); }, "a negative beta");
//     return check.status();
//   }
//
// Each failure is one line on standard error: file:line, what, found, wanted.
// Thread contract: one thread.
#pragma once

#include <cmath>
#include <iostream>
#include <source_location>
#include <string_view>

#include "plumb/error.h"

namespace plumb::testing {

class Checks {
 public:
  using Place = std::source_location;

  void that(bool holds, std::string_view what, Place place = Place::current()) {
    ++count_;
    if (!holds) fail(place) << what << "\n";
  }

  template <class Found, class Wanted>
  void equal(const Found& found, const Wanted& wanted, std::string_view what, Place place = Place::current()) {
    ++count_;
    if (!(found == wanted)) fail(place) << what << ": found " << found << ", wanted " << wanted << "\n";
  }

  void near(double found, double wanted, double tolerance, std::string_view what, Place place = Place::current()) {
    ++count_;
    const bool close = std::abs(found - wanted) <= tolerance;  // false for NaN
    if (!close) fail(place) << what << ": found " << found << ", wanted " << wanted << " ± " << tolerance << "\n";
  }

  template <class Call>
  void throws(ErrorCode code, Call&& call, std::string_view what, Place place = Place::current()) {
    ++count_;
    try {
      call();
    } catch (const Error& error) {
      if (error.code() == code) return;
      fail(place) << what << ": threw code " << static_cast<int>(error.code()) << " (" << error.what() << "), wanted "
                  << static_cast<int>(code) << "\n";
      return;
    }
    fail(place) << what << ": threw nothing, wanted code " << static_cast<int>(code) << "\n";
  }

  // What main returns: 0 when every check held. A test without checks fails.
  [[nodiscard]] int status() const {
    std::cerr << count_ - failed_ << " of " << count_ << " checks hold\n";
    return failed_ == 0 && count_ > 0 ? 0 : 1;
  }

 private:
  std::ostream& fail(const Place& place) {
    ++failed_;
    return std::cerr << place.file_name() << ":" << place.line() << ": ";
  }

  int count_ = 0, failed_ = 0;
};

}  // namespace plumb::testing
