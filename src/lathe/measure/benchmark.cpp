#include "lathe/measure/benchmark.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>

#include "lathe/core/statistics.h"

namespace lathe::measure {
namespace {

constexpr double kOutlierDeviations = 5;
constexpr double kMadToDeviation = 1.4826;  // of a normal distribution

/// 97.5% quantile of Student's t.
double student_t975(std::size_t degrees) {
  static constexpr std::array<double, 30> kQuantiles{
      12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
      2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
      2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
  return degrees <= kQuantiles.size() ? kQuantiles[degrees - 1] : 1.96;
}

double sample_deviation(const std::vector<double>& values) {
  const double center = mean(values);
  double squares = 0;
  for (const double value : values) {
    squares += (value - center) * (value - center);
  }
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

std::vector<double> outliers(const std::vector<double>& times_ms, double center_ms) {
  std::vector<double> distances;
  for (const double time_ms : times_ms) {
    distances.push_back(std::abs(time_ms - center_ms));
  }
  const double most = kOutlierDeviations * kMadToDeviation * median(distances);
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

nlohmann::ordered_json to_json(const IntervalMs& interval) {
  return nlohmann::ordered_json::array({interval.first, interval.second});
}

}  // namespace

Benchmark benchmark(const std::function<Timing(const TimingOptions&)>& time_session,
                    const BenchmarkOptions& options) {
  if (options.sessions < 2 || options.pause_ms < 0) {
    throw std::invalid_argument(
        "[measure::benchmark] sessions must be >= 2 and pause_ms >= 0, got " +
        std::to_string(options.sessions) + " and " + std::to_string(options.pause_ms));
  }
  Benchmark result;
  for (int s = 0; s < options.sessions; ++s) {
    if (s > 0) {
      std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(options.pause_ms));
    }
    result.sessions.push_back(time_session(options.timing));
  }
  const std::vector<double> medians = session_medians(result);
  const auto k = static_cast<double>(medians.size());
  const double spread = student_t975(medians.size() - 1) * sample_deviation(medians);
  result.p50_ms = median(medians);
  const auto around = [&](double half) {
    return IntervalMs{std::max(0.0, result.p50_ms - half), result.p50_ms + half};
  };
  result.p50_ci95_ms = around(spread / std::sqrt(k));
  result.p50_again95_ms = around(spread * std::sqrt(1 + 1 / k));
  const std::vector<double> all = all_times_ms(result);
  result.stats = latency_stats(all);
  result.outliers_ms = outliers(all, result.p50_ms);
  return result;
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
