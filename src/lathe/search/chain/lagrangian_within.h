// The best path within several limits, by a price on each cost that is limited, with its bound.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "lathe/search/chain/limited_cost.h"
#include "lathe/space/trellis.h"

namespace lathe::search {

struct LagrangianOptions {
  /// Paths that are tried beyond those that the prices lead to: the best at the final prices.
  std::size_t near_paths = 1000;
};

struct LagrangianWithin {
  std::optional<space::Path> path;  ///< the best that was met within all limits
  double error = 0.0;               ///< of the path; infinity without one
  /// Error per unit of each limited cost, at which the dual is highest; 0: that limit is not
  /// needed.
  std::vector<double> prices;
  /// No path within the limits has less error, up to the rounding of sums, whether one was met or
  /// not; infinity: there is none.
  double bound = 0.0;
  double gap() const { return error > bound ? error - bound : 0.0; }
  int solved = 0;  ///< shortest paths that it took
};

/// min error(path) subject to costs(path) <= limit for each of `limits`, relaxed as by
/// lagrangian_search(), which answers where there is a single one. The dual is concave in all
/// prices together; for each price of one cost its maximum over the others is found first, by the
/// same two points on either side of a limit, which are now means of paths. So it takes (a
/// few)^limits shortest paths.
///
/// A mean that keeps all limits may be one of paths of which none does. Every path that is met on
/// the way is tried, and the best at the final prices: even so it may be that none is met though
/// there is one (`path` is nothing, `bound` finite). What comes is always within all limits.
///
/// NaN and infinite costs can't be taken. No limits: the path with the least error.
/// @throws std::invalid_argument unless there is one of each cost for each transition, or if a
/// limit is NaN.
LagrangianWithin lagrangian_within(const space::Trellis& trellis, std::span<const double> error,
                                   std::span<const LimitedCost> limits,
                                   const LagrangianOptions& options = {});

}  // namespace lathe::search
