// Making a net faster by shrinking it: how top-down strategies get to the next target.
#pragma once

#include "lathe/core/random.h"
#include "lathe/search/problem.h"
#include "lathe/space/arch.h"

namespace lathe::search {

/// `genes` shrunk until the net fits: a decision drawn at random, among those that can shrink
/// without making the net slower, takes its next smaller value, one after the other. A net that
/// fits comes back as it is. Where shrinking does not get there, Problem::repaired().
///
/// The "randomly pruned version" of Kumar and Szidon, "Efficient Incorporation of Multiple Latency
/// Targets in the Once-For-All Network", section 3.1, which says no more about it.
/// @throws std::invalid_argument as Problem::repaired().
space::Arch pruned_randomly(const Problem& problem, space::Arch genes, double limit_ms, Rng& rng);

/// As their code does it: each group of decisions (kernels, expansions, depths; never the
/// resolution) is walked from its front, again and again, the next position being set to the
/// second largest value where it is larger, in the next round to the third largest, and so on; a
/// random group takes each step, until the net fits. Dead decisions take part. At least one step is
/// made, also with a net that fits.
///
/// Differs in: the given net stays as it is, where the code changes the answer that it prints for
/// the target before; a step that makes the net slower is left out; where all groups are at their
/// smallest and the net does not fit, Problem::repaired(), where the code goes on with a net that
/// is too slow.
/// @throws std::invalid_argument as Problem::repaired().
space::Arch pruned_as_coded(const Problem& problem, space::Arch genes, double limit_ms, Rng& rng);

}  // namespace lathe::search
