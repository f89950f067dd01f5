// How a scaled channel count is rounded; shared by every family.
#pragma once

#include <algorithm>

namespace lathe::space {

/// `value` to the nearest multiple of 8, at least 8, and never below 90% of `value`.
/// @see the public MobileNet and once-for-all codes, `make_divisible`.
constexpr int make_divisible(double value) {
  int rounded = std::max(8, static_cast<int>(value + 4) / 8 * 8);
  if (rounded < 0.9 * value) {
    rounded += 8;
  }
  return rounded;
}

}  // namespace lathe::space
