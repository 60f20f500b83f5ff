// Counter-based random numbers: a draw is a pure function of a key and a counter, so it never depends on batching,
// order or thread. Philox4x32-10 (Salmon et al., SC'11).
//
//   plumb::Random r = plumb::Random(seed).derive("prompt-17").derive(3);   // response 3 of prompt-17
//   double u = r.uniform();                                               // then the next, and the next
//   double v = r.uniform_at(position);                                    // any position, without stepping
//
// Thread contract: a value; each thread uses its own copy.
#pragma once

#include <cstdint>
#include <string_view>

namespace plumb {
inline namespace v1 {

class Random {
 public:
  explicit Random(std::uint64_t seed) : key_(seed) {}

  // An independent stream named by a text or a number.
  [[nodiscard]] Random derive(std::string_view name) const;
  [[nodiscard]] Random derive(std::uint64_t number) const;

  [[nodiscard]] std::uint64_t bits_at(std::uint64_t counter) const;
  [[nodiscard]] double uniform_at(std::uint64_t counter) const;  // in [0, 1), 53 random bits
  std::uint64_t bits() { return bits_at(counter_++); }
  double uniform() { return uniform_at(counter_++); }
  double normal();                           // mean 0, variance 1 (Box-Muller on two draws)
  std::uint64_t below(std::uint64_t bound);  // uniform in [0, bound), unbiased; bound > 0

  // Fisher-Yates; the same on every platform, unlike std::shuffle.
  template <class Container>
  void shuffle(Container& items) {
    for (std::size_t i = items.size(); i > 1; --i) {
      using std::swap;
      swap(items[i - 1], items[below(i)]);
    }
  }

  [[nodiscard]] std::uint64_t key() const { return key_; }
  [[nodiscard]] std::uint64_t counter() const { return counter_; }
  void seek(std::uint64_t counter) { counter_ = counter; }

 private:
  std::uint64_t key_;
  std::uint64_t counter_ = 0;
};

}  // namespace v1
}  // namespace plumb
