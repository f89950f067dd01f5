// The best path within a limit by a price on what is limited: AOWS's solver, with its bound.
#pragma once

#include <optional>
#include <span>

#include "lathe/space/trellis.h"

namespace lathe::search {

struct LagrangianAnswer {
  space::Path path;      ///< the best found within the limit
  double error = 0.0;    ///< of the path
  double latency = 0.0;  ///< of the path
  double price = 0.0;    ///< error per latency, at which the dual is highest; 0: no limit is needed
  /// The dual's maximum: no path within the limit has less error, up to the rounding of sums.
  double bound = 0.0;
  double gap() const { return error > bound ? error - bound : 0.0; }
  int solved = 0;  ///< shortest paths that it took
};

/// min error(path) subject to latency(path) <= limit, relaxed: the path with the least error +
/// price x latency, for the price at which the dual, that least value - price x limit, is highest.
/// It ends on the convex hull of what paths reach, and so in general above the optimum within the
/// limit (pareto_front.h has that).
///
/// @see AOWS (Berman et al., CVPR 2020), section 4. Differs in how the price is found: not by some
/// 60 halvings of an interval, but by the price at which the two best paths so far, one on either
/// side of the limit, would be equal. That ends in the hull's exact edge after a few shortest
/// paths, whatever the unit of the costs, and with paths on both sides it can't miss.
///
/// Nothing if no path is within the limit. NaN and infinite costs can't be taken.
/// @throws std::invalid_argument unless both have one cost for each transition, or if `limit` is
/// NaN.
std::optional<LagrangianAnswer> lagrangian_search(const space::Trellis& trellis,
                                                  std::span<const double> error,
                                                  std::span<const double> latency, double limit);

}  // namespace lathe::search
