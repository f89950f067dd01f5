// Stage: the device, and a model of how long nets take on it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "lathe/core/progress.h"
#include "lathe/latency/models/stored_model.h"
#include "lathe/measure/runners/runner.h"
#include "lathe/run/options.h"
#include "lathe/run/run_folder.h"
#include "lathe/space/space.h"

namespace lathe::run {

/// What nets are for.
struct Device {
  std::shared_ptr<const space::Space> space;  ///< a whole one: what nets are called by
  std::unique_ptr<measure::Runner> runner;
  std::unique_ptr<latency::StoredLatencyModel> latency;  ///< of `space`
};

/// The device to measure on, and its model: the folder's; or the file that the options name; or one
/// fitted here, and kept in the folder with what was measured, which a run that was cut off goes on
/// with. The runtime, memory layout included, is that of earlier measurements, if there are any.
///
/// By default whole nets are timed, those that hold the blocks seen least
/// (latency::BiasedSampler), and a ridge is fitted: to `fewest_nets`, then to half as many more at
/// a time until its error on nets left out is `good_mape`, has become less by no tenth, it is no
/// longer `collect.in_time`, or to `most_nets`; to every net of a space that has fewer. With `blocks`, every distinct block is
/// timed alone, and random whole nets correct their sum and state its error.
/// @throws Error naming the file if a model or the measurements are of another device, runtime,
/// batch or space; as the runner.
Device measure_device(std::shared_ptr<const space::Space> space, const LatencyOptions& options,
                      std::uint64_t seed, const RunFolder& folder, const ProgressFn& progress);

/// @throws Error `<file>: measured under other conditions (...); <next_step>` if a model with this
/// fingerprint is not of nets of `space` as `runner` times them.
void require_measured_so(const latency::Fingerprint& fingerprint, const measure::Runner& runner,
                         const space::Space& space, const std::filesystem::path& file,
                         const std::string& next_step);

}  // namespace lathe::run
