#include "lathe/measure/benchmark.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <iterator>
#include <numbers>
#include <stdexcept>
#include <string>

#include "lathe/core/statistics.h"

namespace lathe::measure {
namespace {

constexpr double kOutlierDeviations = 5;
// Of robust_deviation() of k normal values: its bias of 1 - .8/k and its efficiency.
constexpr double kDeviationBias = 0.8;
constexpr double kDeviationEfficiency = 0.37;

/// 97.5% quantile of Student's t.
double student_t975(std::size_t degrees) {
  static constexpr std::array<double, 30> kQuantiles{
      12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
      2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
      2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
  return degrees <= kQuantiles.size() ? kQuantiles[degrees - 1] : 1.96;
}

/// Between which of `values` the true median lies 19 times of 20, whatever their distribution.
IntervalMs median_interval(std::vector<double> values) {
  std::ranges::sort(values);
  const auto n = static_cast<double>(values.size());
  // Of exactly k values below the median, as a logarithm: 2^-n is no double for large n.
  double log_probability = -n * std::numbers::ln2;
  double below = std::exp(log_probability);
  std::size_t left = 0;
  for (double k = 0; 2 * (k + 1) < n; ++k) {
    log_probability += std::log((n - k) / (k + 1));
    below += std::exp(log_probability);
    if (below > 0.025) {
      break;
    }
    ++left;
  }
  return {values[left], values[values.size() - 1 - left]};
}

std::vector<double> outliers(const std::vector<double>& times_ms, double center_ms) {
  const double most = kOutlierDeviations * robust_deviation(times_ms, center_ms);
  std::vector<double> found;
  std::copy_if(times_ms.begin(), times_ms.end(), std::back_inserter(found),
               [&](double time_ms) { return std::abs(time_ms - center_ms) > most; });
  return found;
}

std::vector<double> session_medians(const Benchmark& benchmark) {
  std::vector<double> medians;
  for (const Timing& session : benchmark.sessions) {
    medians.push_back(median(session.times_ms()));
  }
  return medians;
}

std::vector<double> all_times_ms(const Benchmark& benchmark) {
  std::vector<double> all;
  for (const Timing& session : benchmark.sessions) {
    const std::vector<double> times_ms = session.times_ms();
    all.insert(all.end(), times_ms.begin(), times_ms.end());
  }
  return all;
}

/// Spins: a core that sleeps is clocked down, and what comes next finds it slow for long.
void stay_busy(double ms) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double, std::milli>(ms);
  while (Clock::now() < end) {
  }
}

nlohmann::ordered_json to_json(const IntervalMs& interval) {
  return nlohmann::ordered_json::array({interval.first, interval.second});
}

}  // namespace

IntervalMs again95_interval(const std::vector<double>& session_ms) {
  if (session_ms.size() < 2) {
    throw std::invalid_argument("[measure::again95_interval] needs 2 sessions, got " +
                                std::to_string(session_ms.size()));
  }
  const auto k = static_cast<double>(session_ms.size());
  const double center = median(session_ms);
  const double deviation = robust_deviation(session_ms, center) * k / (k - kDeviationBias);
  const auto degrees = static_cast<std::size_t>(std::max(1.0, kDeviationEfficiency * (k - 1)));
  const double half = student_t975(degrees) * deviation * std::sqrt(1 + std::numbers::pi / (2 * k));
  return {std::max(0.0, center - half), center + half};
}

std::vector<Benchmark> benchmark(std::span<const TimeSession> nets,
                                 const BenchmarkOptions& options) {
  if (options.sessions < 2 || options.pause_ms < 0) {
    throw std::invalid_argument(
        "[measure::benchmark] sessions must be >= 2 and pause_ms >= 0, got " +
        std::to_string(options.sessions) + " and " + std::to_string(options.pause_ms));
  }
  std::vector<Benchmark> results(nets.size());
  for (int s = 0; s < options.sessions; ++s) {
    if (s > 0) {
      stay_busy(options.pause_ms);
    }
    for (std::size_t i = 0; i < nets.size(); ++i) {
      results[i].sessions.push_back(nets[i](options.timing));
    }
  }
  for (Benchmark& result : results) {
    const std::vector<double> medians = session_medians(result);
    result.p50_ms = median(medians);
    result.p50_ci95_ms = median_interval(medians);
    result.p50_again95_ms = again95_interval(medians);
    const std::vector<double> all = all_times_ms(result);
    result.stats = latency_stats(all);
    result.outliers_ms = outliers(all, result.p50_ms);
  }
  return results;
}

nlohmann::ordered_json to_json(const Benchmark& b) {
  bool settled = true;
  std::vector<int> warmup_runs;
  for (const Timing& session : b.sessions) {
    settled = settled && session.settled;
    warmup_runs.push_back(session.warmup_runs);
  }
  return {{"unit", "ms"},
          {"count", b.stats.count},
          {"mean", b.stats.mean_ms},
          {"p50", b.p50_ms},
          {"p90", b.stats.p90_ms},
          {"p95", b.stats.p95_ms},
          {"p99", b.stats.p99_ms},
          {"stdev", b.stats.stdev_ms},
          {"min", b.stats.min_ms},
          {"max", b.stats.max_ms},
          {"p50_ci95", to_json(b.p50_ci95_ms)},
          {"p50_again95", to_json(b.p50_again95_ms)},
          {"first", b.sessions.front().first_ms},
          {"outliers", b.outliers_ms},
          {"session_p50", session_medians(b)},
          {"values", all_times_ms(b)},
          {"warmup_runs", warmup_runs},
          {"settled", settled}};
}

}  // namespace lathe::measure
