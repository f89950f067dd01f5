// Targets searched by solvers over sums: where latency and error add up over the net.
#pragma once

#include <span>

#include "lathe/search/problem.h"
#include "lathe/search/search_targets.h"

namespace lathe::search {

/// kOws, kPareto, kLagrangian, kGreedy, kUniform.
bool solves_chains(Strategy strategy);

/// Those strategies, as search_targets() documents its result. `targets_ms` ascend strictly; the
/// options are valid.
///
/// kOws and kPareto: the net with the least error within each target, by one ParetoFront for all;
/// the front of the result is of the answers, or, for kPareto, of the whole space. Further
/// candidates are those next to it on the front and the best by error + price x latency at the
/// target's price (k_best()): to be evaluated and measured. kLagrangian: lagrangian_within(), with
/// a price on each of latency, MACs and parameters that is limited; where that meets no net within
/// all of them, Problem::fastest() if it is within the target. kGreedy, kUniform: the first net
/// within the target, from the widest down.
/// @see AOWS (Berman et al., CVPR 2020), section 4. Differs in: OWS is solved exactly.
///
/// @throws Error if latency or (but for kGreedy and kUniform) the predicted error is not a sum over
/// the net, or the space's decisions are not all widths (kGreedy, kUniform).
SearchResult search_chain(const Problem& problem, std::span<const double> targets_ms,
                          const SearchOptions& options);

}  // namespace lathe::search
