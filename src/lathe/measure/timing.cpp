#include "lathe/measure/timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <stdexcept>

#include "lathe/core/statistics.h"

namespace lathe::measure {
namespace {

double time_once_ms(const Runnable& run) {
  const auto before = std::chrono::steady_clock::now();
  run();
  const auto after = std::chrono::steady_clock::now();
  return std::chrono::duration<double, std::milli>(after - before).count();
}

void require(bool holds, const char* what, int got) {
  if (!holds) {
    throw std::invalid_argument(std::string("[measure::time_interleaved] ") + what + ", got " +
                                std::to_string(got));
  }
}

}  // namespace

LatencyStats latency_stats(std::vector<double> times_ms) {
  if (times_ms.empty()) {
    throw std::invalid_argument("[measure::latency_stats] needs at least one time");
  }
  LatencyStats stats;
  stats.count = static_cast<int>(times_ms.size());
  stats.mean_ms = mean(times_ms);
  stats.p50_ms = quantile(times_ms, 0.5);
  stats.p90_ms = quantile(times_ms, 0.9);
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

std::vector<LatencyStats> time_interleaved(std::span<const Runnable> runnables,
                                           const TimingOptions& o,
                                           const std::function<void(int, int)>& progress) {
  require(o.warmup_runs >= 0, "warmup_runs must be >= 0", o.warmup_runs);
  require(o.rounds > 0, "rounds must be > 0", o.rounds);
  require(o.runs_per_round > 0, "runs_per_round must be > 0", o.runs_per_round);
  std::vector<std::vector<double>> times(runnables.size());
  const int total = o.rounds * static_cast<int>(runnables.size());
  int done = 0;
  for (int round = 0; round < o.rounds; ++round) {
    for (std::size_t i = 0; i < runnables.size(); ++i) {
      // The first run of a turn finds another net's data in the caches; it is not counted.
      const int uncounted = round == 0 ? std::max(1, o.warmup_runs) : 1;
      for (int run = 0; run < uncounted; ++run) {
        runnables[i]();
      }
      for (int run = 0; run < o.runs_per_round; ++run) {
        times[i].push_back(time_once_ms(runnables[i]));
      }
      if (progress) {
        progress(++done, total);
      }
    }
  }
  std::vector<LatencyStats> stats;
  for (std::vector<double>& t : times) {
    stats.push_back(latency_stats(std::move(t)));
  }
  return stats;
}

}  // namespace lathe::measure
