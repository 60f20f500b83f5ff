// The code points of Unicode 16.0's general categories L* and N*, as sorted ranges.
// Thread contract: constant data.
#pragma once

#include <span>

namespace plumb {
inline namespace v1 {

struct CodeRange {
  char32_t first, last;
};

std::span<const CodeRange> letters();
std::span<const CodeRange> numbers();

}  // namespace v1
}  // namespace plumb
