// The best net for every latency target, in one evolutionary run.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lathe/accuracy/accuracy_predictor.h"
#include "lathe/core/progress.h"
#include "lathe/latency/latency_model.h"
#include "lathe/search/candidate.h"
#include "lathe/search/operators.h"
#include "lathe/search/search_targets.h"
#include "lathe/space/space.h"

namespace lathe::search {

struct AllTargetsOptions {
  int population = 200;   ///< new nets a generation, for all targets together
  int generations = 100;  ///< after the first, random one
  int parents = 25;       ///< for each target: the best nets within it that are bred from
  BreedOptions breed;
  int candidates_per_target = 10;    ///< how many ranked nets are returned for each
  std::int64_t max_evaluations = 0;  ///< accuracy predictions after which to stop; 0: no limit
  std::uint64_t seed = 0;
};

struct AllTargetsResult {
  std::vector<TargetResult> targets;  ///< ascending, each distinct target once
  std::int64_t evaluations = 0;       ///< distinct nets whose accuracy was predicted
  std::vector<Candidate> front;       ///< pareto_front() of all of them
  std::vector<GenerationTrace> trace;
};

/// One run for all targets over a shared archive: every net is evaluated once and offered to every
/// target that it fits, so that a net found for one target is a parent for its neighbours. Each
/// generation breeds for all feasible targets in turn and predicts their accuracy in one batch.
/// It starts from the smallest, the fastest, and random nets repaired to fit each target; it ends
/// early when the space has no new nets to offer.
///
/// An infeasible target is a result (feasible = false), and the others go on. The same seed gives
/// the same result and trace, on any number of threads.
///
/// Differs from the published evolution (Cai et al., Once-for-All, ICLR 2020, section 3.4): no net
/// is evaluated twice, the last generation counts, and too slow nets are repaired, not redrawn.
/// @throws std::invalid_argument if there is no target, one is not finite and > 0, an option is out
/// of range, or a model is of another space; Error as the models'.
AllTargetsResult search_all_targets(const space::Space& space, const latency::LatencyModel& latency,
                                    const accuracy::AccuracyPredictor& accuracy,
                                    std::span<const double> targets_ms,
                                    const AllTargetsOptions& options = {},
                                    const ProgressFn& progress = {});

}  // namespace lathe::search
