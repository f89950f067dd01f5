// One net's latency, with an honest statement of how sure it is.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>
#include <vector>

#include "lathe/measure/timing.h"

namespace lathe::measure {

struct BenchmarkOptions {
  /// Of one session.
  TimingOptions timing{
      .warmup_runs = 10, .warmup_ms = 1000, .rounds = 4, .runs_per_round = 25, .round_ms = 500};
  int sessions = 16;      ///< the net is prepared anew in each: other memory, other caches
  double pause_ms = 250;  ///< between a net's sessions, so that they see more of the machine; the
                          ///< core is kept busy, since one that slept is slow for long
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

/// Where the figure of another session falls 19 times of 20, if most are of one normal
/// distribution: p50_again95 below. @throws std::invalid_argument if there are fewer than 2.
IntervalMs again95_interval(const std::vector<double>& session_ms);

/// Prepares one net anew and times it.
using TimeSession = std::function<Timing(const TimingOptions&)>;

/// One answer a net. The nets' sessions are collected in turns, so that what disturbs the machine
/// for seconds falls on few sessions of each.
///
/// Runs of one session are alike, so the intervals come from the sessions' medians, and as those
/// are now and then disturbed, from their middle: p50_ci95 lies between two of them in order (the
/// binomial distribution's; all of them if they are fewer than 6, which promise less), and
/// p50_again95 is m +- t s sqrt(1 + pi / 2k), where s is the median absolute deviation made that of
/// a normal distribution, and t is Student's for the 37% of k - 1 degrees of freedom that it keeps.
/// What changes between sessions is in them; what changes over hours is not.
/// @throws std::invalid_argument if there are fewer than 2 sessions or the pause is negative.
std::vector<Benchmark> benchmark(std::span<const TimeSession> nets,
                                 const BenchmarkOptions& options);

/// `{"unit": "ms", "count", "mean", "p50", "p90", "p95", "p99", "stdev", "min", "max", "p50_ci95",
/// "p50_again95", "first", "outliers": [...], "session_p50": [...], "values": [...], "warmup_runs",
/// "settled"}`, all of ms.
nlohmann::ordered_json to_json(const Benchmark& benchmark);

}  // namespace lathe::measure
