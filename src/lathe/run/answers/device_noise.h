// Stage: by how much a device's sessions differ, seen on nets whose latency nobody asked for.
#pragma once

#include <cstdint>
#include <vector>

#include "lathe/core/progress.h"
#include "lathe/run/answers/winners.h"
#include "lathe/run/options.h"
#include "lathe/run/run_folder.h"
#include "lathe/run/stages/latency_stage.h"

namespace lathe::run {

/// A net that stands for the device: timed again later, it says whether what was measured applies.
/// Its weights are random, from the space and the arch alone.
struct Sentinel {
  space::Arch arch;
  std::vector<double> session_ms;  ///< at the quantile that is asked for
};

struct DeviceNoise {
  double quantile = 0.5;
  /// A session's quantile over its median; the middle one of all sessions. What the median may be
  /// is the target over this.
  double tail = 1;
  /// Of one net's sessions, relative: robust, so that bursts count little. At least 0.2%.
  double deviation = 0;
  std::vector<Sentinel> sentinels;  ///< the space's smallest and largest net
};

/// The sentinel of that arch of a whole space.
graph::Net sentinel_net(const space::Space& space, const space::Arch& arch);

/// How a session times a net that is asked for its `quantile`: `timing`, with as many runs as five
/// above the quantile take, and with all of them where it is not the median.
measure::TimingOptions session_timing(const measure::TimingOptions& timing, double quantile);

/// One session of `net`, with session_timing().
measure::Timing time_session(measure::Runner& runner, const graph::Net& net,
                             const SpecializeOptions& options);

/// What one session of `net` takes, at the quantile.
double session_ms(measure::Runner& runner, const graph::Net& net, const SpecializeOptions& options);

/// The same, and how much of the limits beside latency a run takes. @throws Error if there is a
/// limit on what the runner doesn't say.
Session session(measure::Runner& runner, const graph::Net& net, const SpecializeOptions& options);

/// The largest share of the limits beside latency that was reported; 0 without limits. @throws as
/// session().
double limit_share(const measure::Reported& reported, const SpecializeOptions& options);

/// Times the sentinels in turns, eight sessions each, or reads what the folder has of that.
/// @throws Error naming the file if it is of another quantile or space; as the runner.
DeviceNoise measure_noise(const Device& device, const SpecializeOptions& options,
                          const RunFolder& folder, const ProgressFn& progress);

/// Whether a session of the smallest sentinel takes longer than its sessions differ by: four
/// deviations. `space` is the whole one.
bool disturbed(const DeviceNoise& noise, const space::Space& space, measure::Runner& runner,
               const SpecializeOptions& options);

}  // namespace lathe::run
