// From a target's candidates to the one that holds it, measured.
#pragma once

#include <functional>
#include <vector>

#include "lathe/core/progress.h"
#include "lathe/measure/runner.h"
#include "lathe/search/search_targets.h"

namespace lathe::run {

/// The candidate that a target's answer is made of.
struct Winner {
  search::Candidate candidate;
  bool holds = false;  ///< whether it held the target when it was measured
  /// Measured medians of better candidates that didn't.
  std::vector<double> replaced_ms;
};

/// How candidates are measured: a net's median latency in one session.
using MeasureFn = std::function<double(const space::Arch&)>;

/// The middle one of three sessions, so that a burst in one doesn't decide; of two that agree on
/// which side of the limit it is, their mean.
double median_ms(const space::Arch& arch, double limit_ms, const MeasureFn& measure);

/// Measures the target's candidates, best first, until one holds it: the median of three sessions
/// is within the target, so that a burst in one doesn't decide. After one that doesn't, those that
/// the same ratio of measured to predicted latency would put above the target are passed over;
/// `front` supplies faster ones. When only such are left, the fastest of them is tried last. If
/// none holds within `attempts`, it is the fastest measured one, and `holds` is false. What was
/// measured here has chosen, and is not to be reported.
/// @throws std::invalid_argument if the target is infeasible.
Winner find_winner(const search::TargetResult& target, const std::vector<search::Candidate>& front,
                   int attempts, const MeasureFn& measure, const ProgressFn& progress);

}  // namespace lathe::run
