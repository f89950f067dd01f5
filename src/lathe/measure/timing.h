// Timing that can be believed: warm-up, many repetitions in turns, the median.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace lathe::measure {

/// Something that can be run again and again.
using Runnable = std::function<void()>;

struct TimingOptions {
  int warmup_runs = 5;  ///< of each runnable, not counted
  int rounds = 10;      ///< turns: every runnable is timed once in each, so that drift and
                        ///< disturbances of the machine fall on all of them alike
  int runs_per_round = 5;
};

/// Of one runnable's counted runs.
struct LatencyStats {
  int count = 0;
  double mean_ms = 0;
  double p50_ms = 0;
  double p90_ms = 0;
  double stdev_ms = 0;
  double min_ms = 0;
  double max_ms = 0;
};

/// The statistics of `times_ms`. @throws std::invalid_argument if it is empty.
LatencyStats latency_stats(std::vector<double> times_ms);

/// Times each runnable alone, in turns. `progress(done, total)` is called after every runnable of
/// every round, and may be empty.
/// @throws std::invalid_argument if a count is not positive (warmup_runs: negative).
std::vector<LatencyStats> time_interleaved(std::span<const Runnable> runnables,
                                           const TimingOptions& options,
                                           const std::function<void(int, int)>& progress = {});

}  // namespace lathe::measure
