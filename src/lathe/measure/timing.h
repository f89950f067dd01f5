// Timing that can be believed: warm-up, many repetitions in turns, the median.
#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <vector>

#include "lathe/measure/reported.h"

namespace lathe::measure {

double since_ms(std::chrono::steady_clock::time_point start);

/// Something that can be run again and again.
using Runnable = std::function<void()>;

struct TimingOptions {
  int warmup_runs = 5;   ///< of each runnable at least, not counted
  double warmup_ms = 0;  ///< more of them, for at most this long, until two batches of warmup_runs
                         ///< agree within 2%
  int rounds = 10;       ///< turns: every runnable is timed in each, so that drift and
                         ///< disturbances of the machine fall on all of them alike
  int runs_per_round = 5;  ///< at most
  double round_ms = 0;     ///< a turn that has lasted this long ends after its second run; 0: never
};

/// What was seen of one runnable.
struct Timing {
  double first_ms = 0;   ///< the very first run: cold caches and first allocations, not counted
  int warmup_runs = 0;   ///< that it took, the first one included
  bool settled = false;  ///< whether the warm-up ended because two batches agreed
  std::vector<std::vector<double>> rounds_ms;  ///< every counted run, turn by turn
  Reported reported;                           ///< by a runner that knows more than the time
  /// All counted runs in their order.
  std::vector<double> times_ms() const;
};

/// Of one runnable's counted runs.
struct LatencyStats {
  int count = 0;
  double mean_ms = 0;
  double p50_ms = 0;
  double p90_ms = 0;
  double p95_ms = 0;
  double p99_ms = 0;
  double stdev_ms = 0;
  double min_ms = 0;
  double max_ms = 0;
};

/// The statistics of `times_ms`. @throws std::invalid_argument if it is empty.
LatencyStats latency_stats(std::span<const double> times_ms);

/// After every turn of every runnable: how many turns are done, of how many. May be empty.
using TurnFn = std::function<void(int done, int total)>;

/// Times each runnable alone, in turns. Each turn begins with an uncounted run: it finds another
/// runnable's data in the caches.
/// @throws std::invalid_argument if a count is not positive (warmup_runs and the times: negative).
std::vector<Timing> time_interleaved(std::span<const Runnable> runnables,
                                     const TimingOptions& options, const TurnFn& progress = {});

}  // namespace lathe::measure
