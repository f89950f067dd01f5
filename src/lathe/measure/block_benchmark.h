// Measures what a block table is made of.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lathe/core/progress.h"
#include "lathe/latency/block_table.h"
#include "lathe/latency/sample.h"
#include "lathe/measure/runner.h"
#include "lathe/space/space.h"

namespace lathe::measure {

/// The conditions that `runner` measures `space` under.
latency::Fingerprint fingerprint(const Runner& runner, const space::Space& space);

/// Every distinct block of the space timed alone: medians in ms by key. The first run of each
/// round is not counted, so a block finds its own weights in the caches; whole nets don't, which is
/// what calibration (latency::calibrated) corrects.
latency::BlockCosts benchmark_blocks(Runner& runner, const space::Space& space,
                                     const TimingOptions& options, const ProgressFn& progress);

/// Whole nets, with random weights, in turns.
std::vector<latency::LatencySample> benchmark_nets(Runner& runner, const space::Space& space,
                                                   const std::vector<space::Arch>& archs,
                                                   const TimingOptions& options,
                                                   const ProgressFn& progress);

}  // namespace lathe::measure
