// A cost that adds up along a path and may not exceed a limit.
#pragma once

#include <span>

namespace lathe::search {

/// A cost of each transition of a trellis, and the most that a path's total may be.
struct LimitedCost {
  std::span<const double> costs;
  double limit = 0.0;
};

}  // namespace lathe::search
