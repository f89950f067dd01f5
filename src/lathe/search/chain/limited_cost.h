// A cost that adds up along a path and may not exceed a limit.
#pragma once

#include <span>

#include "lathe/space/trellis.h"

namespace lathe::search {

/// A cost of each transition of a trellis, and the most that a path's total may be.
struct LimitedCost {
  std::span<const double> costs;
  double limit = 0.0;
};

/// What the total of any path's finite costs may be off by, and more: sums of the same costs in
/// another order differ by less. O(transitions).
double rounding_of(const space::Trellis& trellis, std::span<const double> costs);

}  // namespace lathe::search
