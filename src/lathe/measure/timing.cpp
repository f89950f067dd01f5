#include "lathe/measure/timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <stdexcept>
#include <string>

#include "lathe/core/statistics.h"

namespace lathe::measure {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSettledWithin = 0.02;

double time_once_ms(const Runnable& run) {
  const Clock::time_point before = Clock::now();
  run();
  return since_ms(before);
}

template <typename Number>
void require(bool holds, const char* what, Number got) {
  if (!holds) {
    throw std::invalid_argument(std::string("[measure::time_interleaved] ") + what + ", got " +
                                std::to_string(got));
  }
}

void check(const TimingOptions& o) {
  require(o.warmup_runs >= 0, "warmup_runs must be >= 0", o.warmup_runs);
  require(o.warmup_ms >= 0, "warmup_ms must be >= 0", o.warmup_ms);
  require(o.rounds > 0, "rounds must be > 0", o.rounds);
  require(o.runs_per_round > 0, "runs_per_round must be > 0", o.runs_per_round);
  require(o.round_ms >= 0, "round_ms must be >= 0", o.round_ms);
}

double median_of_runs_ms(const Runnable& run, int runs) {
  std::vector<double> times_ms;
  for (int i = 0; i < runs; ++i) {
    times_ms.push_back(time_once_ms(run));
  }
  return median(times_ms);
}

void warm_up(const Runnable& run, const TimingOptions& o, Timing& timing) {
  const Clock::time_point start = Clock::now();
  timing.first_ms = time_once_ms(run);
  timing.warmup_runs = 1;
  if (o.warmup_runs > 1) {
    const int rest = o.warmup_runs - 1;
    double before_ms = median_of_runs_ms(run, rest);
    timing.warmup_runs += rest;
    while (!timing.settled && since_ms(start) < o.warmup_ms) {
      const double now_ms = median_of_runs_ms(run, o.warmup_runs);
      timing.warmup_runs += o.warmup_runs;
      timing.settled = std::abs(now_ms - before_ms) <= kSettledWithin * before_ms;
      before_ms = now_ms;
    }
  }
}

std::vector<double> time_turn(const Runnable& run, const TimingOptions& o) {
  std::vector<double> times_ms;
  const Clock::time_point start = Clock::now();
  for (int i = 0; i < o.runs_per_round; ++i) {
    if (i >= 2 && o.round_ms > 0 && since_ms(start) >= o.round_ms) {
      break;
    }
    times_ms.push_back(time_once_ms(run));
  }
  return times_ms;
}

}  // namespace

double since_ms(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

std::vector<double> Timing::times_ms() const {
  std::vector<double> all;
  for (const std::vector<double>& round : rounds_ms) {
    all.insert(all.end(), round.begin(), round.end());
  }
  return all;
}

LatencyStats latency_stats(std::span<const double> times_ms) {
  if (times_ms.empty()) {
    throw std::invalid_argument("[measure::latency_stats] needs at least one time");
  }
  LatencyStats stats;
  stats.count = static_cast<int>(times_ms.size());
  stats.mean_ms = mean(times_ms);
  stats.p50_ms = quantile(times_ms, 0.5);
  stats.p90_ms = quantile(times_ms, 0.9);
  stats.p95_ms = quantile(times_ms, 0.95);
  stats.p99_ms = quantile(times_ms, 0.99);
  double squares = 0;
  for (double t : times_ms) {
    squares += (t - stats.mean_ms) * (t - stats.mean_ms);
  }
  stats.stdev_ms = std::sqrt(squares / static_cast<double>(times_ms.size()));
  const auto [low, high] = std::minmax_element(times_ms.begin(), times_ms.end());
  stats.min_ms = *low;
  stats.max_ms = *high;
  return stats;
}

std::vector<Timing> time_interleaved(std::span<const Runnable> runnables, const TimingOptions& o,
                                     const TurnFn& progress) {
  check(o);
  std::vector<Timing> timings(runnables.size());
  const int total = o.rounds * static_cast<int>(runnables.size());
  int done = 0;
  for (int round = 0; round < o.rounds; ++round) {
    for (std::size_t i = 0; i < runnables.size(); ++i) {
      if (round == 0) {
        warm_up(runnables[i], o, timings[i]);
      } else {
        runnables[i]();
      }
      timings[i].rounds_ms.push_back(time_turn(runnables[i], o));
      if (progress) {
        progress(++done, total);
      }
    }
  }
  return timings;
}

}  // namespace lathe::measure
