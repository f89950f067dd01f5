// The paths with the least sums of costs, as many as one wants.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "lathe/space/min_sum.h"
#include "lathe/space/trellis.h"

namespace lathe::search {

/// The `k` paths with the least totals, ascending; all there are if those are fewer. The first is
/// min_sum()'s; of paths whose sums, added up from the end, are equal the lexicographically smaller
/// comes first. O(transitions + k x states x log(transitions of a state)); memory k x states.
/// @throws std::invalid_argument unless there is one cost for each transition, or if k times the
/// states is above 10^8.
std::vector<space::BestPath> k_best(const space::Trellis& trellis, std::span<const double> costs,
                                    std::size_t k);

}  // namespace lathe::search
