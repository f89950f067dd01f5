// Published ways to search several targets: an evolution for each, one after the other.
#pragma once

#include <cstdint>
#include <span>

#include "lathe/core/progress.h"
#include "lathe/search/problem.h"
#include "lathe/search/search_targets.h"

namespace lathe::search {

/// Any of the strategies but kAllTargets, as search_targets() documents its result. `targets_ms`
/// ascend strictly; the options are valid. Each target's draws depend on `seed` and the target
/// alone.
///
/// kTopDown and kBottomUp are those of Kumar and Szidon, "Efficient Incorporation of Multiple
/// Latency Targets in the Once-For-All Network", sections 3.1 and 3.2: the first target is searched
/// as by kVanilla; each further one has `followup_generations` and starts from random nets and the
/// answer before it, pruned at random where the next target is faster.
///
/// Their code does something else. kTopDownAsCoded: the population is no random nets, but
/// `mutation_ratio * population` copies of the pruned answer (50). kBottomUpAsCoded: no random nets
/// either, the whole population of the target before goes on. In both, 63 generations for 500
/// rather than the square root.
///
/// Differs in: evolution.h and pruning.h; nets that were predicted for another target are not
/// predicted again (kVanilla, kCold and kRandom forget them, to be comparable); kCold, which is
/// ours, has the targets in the order of kTopDown.
SearchResult search_one_by_one(const Problem& problem, std::span<const double> targets_ms,
                               const SearchOptions& options, std::uint64_t seed,
                               const ProgressFn& progress);

}  // namespace lathe::search
