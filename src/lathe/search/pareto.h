// The nets that no other net beats in both latency and accuracy.
#pragma once

#include <span>
#include <vector>

#include "lathe/search/candidate.h"

namespace lathe::search {

/// The non-dominated candidates by ascending latency, and so by ascending accuracy. Of several with
/// the same latency and accuracy one is kept. O(n log n).
std::vector<Candidate> pareto_front(std::span<const Candidate> candidates);

}  // namespace lathe::search
