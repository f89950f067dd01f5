// The path with the least sum of costs (the Viterbi algorithm).
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "lathe/space/trellis.h"

namespace lathe::space {

/// The least cost from each state to the end; the last state has 0, a state from which the end
/// can't be reached infinity. O(transitions).
/// @throws std::invalid_argument unless there is one cost for each transition.
std::vector<double> suffix_minima(const Trellis& trellis, std::span<const double> costs);

struct BestPath {
  Path path;
  double total = 0.0;  ///< Trellis::total()
};

/// The path with the least total. Of paths whose sums, added up from the end, are equal the
/// lexicographically first by the transitions' numbers. Nothing if no path can be taken.
/// O(transitions): microseconds for thousands of them.
/// @throws std::invalid_argument as suffix_minima().
std::optional<BestPath> min_sum(const Trellis& trellis, std::span<const double> costs);

}  // namespace lathe::space
