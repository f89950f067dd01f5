// Every target in one search.
#pragma once

#include <cstdint>
#include <span>

#include "lathe/core/progress.h"
#include "lathe/search/problem.h"
#include "lathe/search/search_targets.h"

namespace lathe::search {

/// Strategy::kAllTargets, as search_targets() documents its result: ExchangeSearch where latency is
/// a sum over slots, SharedEvolution otherwise. `targets_ms` ascend strictly; the options are
/// valid. `max_evaluations`, if given, takes the place of the effort's.
///
/// A target's `evaluations` are those of the whole search, which all targets share; its provenance
/// says at which of them the answer was found.
SearchResult search_all_at_once(const Problem& problem, std::span<const double> targets_ms,
                                const SearchOptions& options, std::uint64_t seed,
                                const ProgressFn& progress);

}  // namespace lathe::search
