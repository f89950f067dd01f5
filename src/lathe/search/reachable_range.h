// Between which latencies targets make sense.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "lathe/latency/models/latency_model.h"
#include "lathe/search/cost_limits.h"
#include "lathe/search/repair.h"
#include "lathe/space/space.h"

namespace lathe::search {

struct RangeOptions {
  int random_starts = 2;  ///< beside the smallest and the largest net
  std::uint64_t seed = 0;
};

struct ReachableRange {
  TimedArch fastest;
  TimedArch slowest;
};

/// The fastest and the slowest net of the space: coordinate descent over single decisions, and over
/// pairs where those are stuck, from several starts.
///
/// Exact if latency is a sum whose terms each depend on at most two decisions, one of them moving
/// all terms the same way or none (block tables of the mobile family: kernel and expansion of a
/// block, depth, resolution); otherwise a local optimum. O(decisions^2 * choices^2) predictions.
/// @throws std::invalid_argument if `latency` is of another space; Error as predict_ms().
ReachableRange reachable_range(const space::Space& space, const latency::LatencyModel& latency,
                               const RangeOptions& options = {});

/// Its fastest net alone, in half the time.
TimedArch fastest_net(const space::Space& space, const latency::LatencyModel& latency,
                      const RangeOptions& options = {});

/// The same two of the nets that keep `limits`, by the same descents, so that where a limit is in
/// the way they are local optima. Nothing if no net was found that keeps them.
std::optional<ReachableRange> range_within(const space::Space& space,
                                           const latency::LatencyModel& latency,
                                           const CostLimits& limits,
                                           const RangeOptions& options = {});
std::optional<TimedArch> fastest_within(const space::Space& space,
                                        const std::function<double(const space::Arch&)>& latency_ms,
                                        const CostLimits& limits, const RangeOptions& options = {});

}  // namespace lathe::search
