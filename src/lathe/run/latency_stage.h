// Stage: the device's block table.
#pragma once

#include <memory>

#include "lathe/core/progress.h"
#include "lathe/latency/block_table.h"
#include "lathe/measure/runner.h"
#include "lathe/run/options.h"
#include "lathe/run/run_folder.h"

namespace lathe::run {

/// The device to measure on. A run that goes on keeps the memory layout of its table; a new one
/// takes the faster for the space's largest net.
std::unique_ptr<measure::Runner> make_runner(const space::Space& space,
                                             const LatencyOptions& options,
                                             const RunFolder& folder);

/// The table in the folder, or a new one: every distinct block timed alone, then random whole nets
/// to correct the sum and to state its error (on nets left out of the correction).
/// @throws Error naming the file if the folder's table is of another device or space.
latency::BlockTable measure_latency(const space::Space& space, measure::Runner& runner,
                                    const LatencyOptions& options, std::uint64_t seed,
                                    const RunFolder& folder, const ProgressFn& progress);

}  // namespace lathe::run
