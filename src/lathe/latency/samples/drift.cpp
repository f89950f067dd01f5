#include "lathe/latency/samples/drift.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>
#include <string>

#include "lathe/core/statistics.h"

namespace lathe::latency {
namespace {

double variance(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const double center = mean(values);
  double squares = 0;
  for (const double value : values) {
    squares += (value - center) * (value - center);
  }
  return squares / static_cast<double>(values.size() - 1);
}

std::vector<double> logs(std::span<const double> times_ms) {
  std::vector<double> result;
  for (const double time_ms : times_ms) {
    if (!std::isfinite(time_ms) || time_ms <= 0) {
      throw std::invalid_argument("[latency::drift_factors] anchors must be > 0 ms, got " +
                                  std::to_string(time_ms));
    }
    result.push_back(std::log(time_ms));
  }
  return result;
}

/// The logarithm of each measurement's median anchor, of those that have one.
std::vector<double> log_medians(std::span<const std::vector<double>> anchors_ms) {
  std::vector<double> medians;
  for (const std::vector<double>& turns_ms : anchors_ms) {
    if (!turns_ms.empty()) medians.push_back(median(logs(turns_ms)));
  }
  return medians;
}

}  // namespace

std::optional<double> drift_between(std::span<const std::vector<double>> before_ms,
                                    std::span<const std::vector<double>> after_ms) {
  const std::vector<double> before = log_medians(before_ms);
  const std::vector<double> after = log_medians(after_ms);
  if (before.empty() || after.empty()) return std::nullopt;
  return std::exp(median(after) - median(before));
}

std::vector<double> drift_factors(std::span<const std::vector<double>> anchors_ms) {
  const std::vector<double> medians = log_medians(anchors_ms);
  std::vector<double> noise;  // variances of these medians
  for (const std::vector<double>& turns_ms : anchors_ms) {
    if (turns_ms.empty()) continue;
    const std::vector<double> turns = logs(turns_ms);
    // A normal sample's median has pi/2 times the variance of its mean.
    noise.push_back(variance(turns) * std::numbers::pi / 2 / static_cast<double>(turns.size()));
  }
  std::vector<double> factors(anchors_ms.size(), 1.0);
  const double spread = variance(medians);
  if (spread == 0) return factors;
  const double weight = std::max(0.0, 1.0 - mean(noise) / spread);
  const double typical = median(medians);
  std::size_t k = 0;
  for (std::size_t i = 0; i < anchors_ms.size(); ++i) {
    if (!anchors_ms[i].empty()) {
      factors[i] = std::exp(weight * (typical - medians[k++]));
    }
  }
  return factors;
}

}  // namespace lathe::latency
