// One net's latency, with an honest statement of how sure it is.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "lathe/measure/timing.h"

namespace lathe::measure {

struct BenchmarkOptions {
  /// Of one session.
  TimingOptions timing{
      .warmup_runs = 10, .warmup_ms = 1000, .rounds = 4, .runs_per_round = 25, .round_ms = 500};
  int sessions = 8;       ///< the net is prepared anew in each: other memory, other caches
  double pause_ms = 250;  ///< before each but the first, so that they see more of the machine
};

/// Lower and upper end.
using IntervalMs = std::pair<double, double>;

struct Benchmark {
  std::vector<Timing> sessions;
  LatencyStats stats;               ///< of all counted runs
  double p50_ms = 0;                ///< the median of the sessions' medians: the headline
  IntervalMs p50_ci95_ms;           ///< 95% confidence of p50_ms
  IntervalMs p50_again95_ms;        ///< where another session's median falls 19 times of 20
  std::vector<double> outliers_ms;  ///< kept in all figures: further from p50 than 5 deviations
};

/// Collects the sessions that `time_session` times. Runs of one session are alike, so the intervals
/// are Student's t of the sessions' medians, m +- t s / sqrt(k) and m +- t s sqrt(1 + 1/k): what
/// changes between sessions and over their span is in them, what changes over hours is not.
/// Deviations are 1.4826 times the median absolute one.
/// @throws std::invalid_argument if there are fewer than 2 sessions or the pause is negative.
Benchmark benchmark(const std::function<Timing(const TimingOptions&)>& time_session,
                    const BenchmarkOptions& options);

/// `{"unit": "ms", "count", "mean", "p50", "p90", "p95", "p99", "stdev", "min", "max", "p50_ci95",
/// "p50_again95", "first", "outliers": [...], "session_p50": [...], "values": [...], "warmup_runs",
/// "settled"}`, all of ms.
nlohmann::ordered_json to_json(const Benchmark& benchmark);

}  // namespace lathe::measure
