// Sixteen floats at a time, compiled for the widest vectors of the machine that runs it.
//
//   lanes::on_widest([&]() PLUMB_INLINE { for (…) lanes::store(out, lanes::exp(lanes::load(in))); });
//
// The body is compiled once each for AVX-512, AVX2 and the plain target; a call picks one by what the processor has.
// Everything a body calls must be PLUMB_INLINE (or a template of the standard library that inlines), else it stays
// plain. Results of the three differ in rounding only. Thread contract: functions are [any].
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>

// Vectors never cross a call that is not inlined, so how they would be passed does not matter.
#pragma GCC diagnostic ignored "-Wpsabi"

#define PLUMB_INLINE __attribute__((always_inline))

namespace plumb::lanes {

inline constexpr std::int64_t width = 16;
using Floats = float __attribute__((vector_size(64)));
using Ints = std::int32_t __attribute__((vector_size(64)));
using Halves = std::uint16_t __attribute__((vector_size(32)));

PLUMB_INLINE inline Floats splat(float x) {
  return Floats{} + x;
}
PLUMB_INLINE inline Floats load(const float* at) {
  Floats v;
  std::memcpy(&v, at, sizeof v);
  return v;
}
PLUMB_INLINE inline void store(float* at, const Floats& v) {
  std::memcpy(at, &v, sizeof v);
}

// bfloat16 is the upper half of a float.
PLUMB_INLINE inline Floats load(const std::uint16_t* at) {
  Halves half;
  std::memcpy(&half, at, sizeof half);
  return reinterpret_cast<Floats>(__builtin_convertvector(half, Ints) << 16);
}

// b where either is NaN: a running maximum, given as b, passes over them.
PLUMB_INLINE inline Floats max(const Floats& a, const Floats& b) {
  return a > b ? a : b;
}

PLUMB_INLINE inline float sum(const Floats& v) {
  float total = 0;
  for (std::int64_t i = 0; i < width; ++i) total += v[i];
  return total;
}
PLUMB_INLINE inline float max(const Floats& v) {
  float most = v[0];
  for (std::int64_t i = 1; i < width; ++i) most = v[i] > most ? v[i] : most;
  return most;
}
PLUMB_INLINE inline bool any(const Ints& mask) {
  std::uint64_t words[8], all = 0;
  std::memcpy(words, &mask, sizeof words);
  for (std::uint64_t word : words) all |= word;
  return all != 0;
}

// e^x for x <= 88, within 2 units in the last place; 0 below -87 and for -infinity, NaN for NaN and +infinity. Splits
// x = n ln 2 + r with |r| <= ln 2 / 2, where the Taylor polynomial of degree 7 is exact to rounding, and puts n into the
// exponent.
PLUMB_INLINE inline Floats exp(const Floats& x) {
  constexpr float half_integers = 12582912.0F;  // 1.5 * 2^23: adding and subtracting it rounds to the nearest integer
  const Floats clamped = x < -87.0F ? splat(-87.0F) : x;  // in this order a NaN stays: no comparison with it holds
  const Floats n = (clamped * 1.44269504F + half_integers) - half_integers;
  Floats r = clamped - n * 0.693359375F;  // ln 2 in two parts, the first with few bits, so that n times it is exact
  r = r - n * -2.12194440e-4F;
  Floats p = splat(1.0F / 5040);
  p = p * r + 1.0F / 720;
  p = p * r + 1.0F / 120;
  p = p * r + 1.0F / 24;
  p = p * r + 1.0F / 6;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const Ints exponent = (__builtin_convertvector(n, Ints) + 127) << 23;
  return x < -87.0F ? Floats{} : p * reinterpret_cast<Floats>(exponent);
}

#if defined(__x86_64__) && defined(__GNUC__)
template <class Body>
__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma"), noinline)) void run_avx512(Body& body) {
  body();
}
template <class Body>
__attribute__((target("avx2,fma"), noinline)) void run_avx2(Body& body) {
  body();
}
#endif

enum class Machine { plain, avx2, avx512 };

inline Machine machine() {
#if defined(__x86_64__) && defined(__GNUC__)
  static const Machine found = [] {
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq")) {
      return Machine::avx512;
    }
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? Machine::avx2 : Machine::plain;
  }();
  return found;
#else
  return Machine::plain;
#endif
}

template <class Body>
void on(Machine which, Body&& body) {
#if defined(__x86_64__) && defined(__GNUC__)
  if (which == Machine::avx512) return run_avx512(body);
  if (which == Machine::avx2) return run_avx2(body);
#endif
  static_cast<void>(which);
  body();
}

template <class Body>
void on_widest(Body&& body) {
  on(machine(), body);
}

}  // namespace plumb::lanes
