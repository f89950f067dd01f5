#include "lathe/core/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <string>

namespace lathe {
namespace {

void require_pairs(std::span<const double> a, std::span<const double> b, const char* function) {
  if (a.empty() || a.size() != b.size()) {
    throw std::invalid_argument("[core::" + std::string(function) +
                                "] both sides need the same number of values, at least one; got " +
                                std::to_string(a.size()) + " and " + std::to_string(b.size()));
  }
}

/// Ranks from 1, ties at the mean of the ranks they share.
std::vector<double> mean_ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t i, std::size_t j) { return values[i] < values[j]; });
  std::vector<double> ranks(values.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (std::size_t k = begin; k < end; ++k) {
      ranks[order[k]] = (static_cast<double>(begin) + static_cast<double>(end) + 1.0) / 2.0;
    }
    begin = end;
  }
  return ranks;
}

double pearson(std::span<const double> a, std::span<const double> b) {
  const double mean_a = mean(a);
  const double mean_b = mean(b);
  double covariance = 0, variance_a = 0, variance_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    covariance += (a[i] - mean_a) * (b[i] - mean_b);
    variance_a += (a[i] - mean_a) * (a[i] - mean_a);
    variance_b += (b[i] - mean_b) * (b[i] - mean_b);
  }
  if (variance_a == 0 || variance_b == 0) return 0;
  return covariance / std::sqrt(variance_a) / std::sqrt(variance_b);
}

int sign(double x) { return (x > 0) - (x < 0); }

}  // namespace

double quantile(std::span<const double> values, double q) {
  if (values.empty()) throw std::invalid_argument("[core::quantile] values must not be empty");
  if (!(q >= 0 && q <= 1)) {
    throw std::invalid_argument("[core::quantile] q must be in [0, 1], got " + std::to_string(q));
  }
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const double position = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double fraction = position - static_cast<double>(below);
  // Not below + fraction * (above - below), which is NaN between two infinities.
  if (fraction == 0 || sorted[below] == sorted[above]) return sorted[below];
  return sorted[below] + fraction * (sorted[above] - sorted[below]);
}

double median(std::span<const double> values) { return quantile(values, 0.5); }

double robust_deviation(std::span<const double> values, double center) {
  constexpr double kOfANormalDistribution = 1.4826;
  std::vector<double> distances;
  for (const double value : values) distances.push_back(std::abs(value - center));
  return kOfANormalDistribution * median(distances);
}

double mean(std::span<const double> values) {
  if (values.empty()) throw std::invalid_argument("[core::mean] values must not be empty");
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double sample_deviation(std::span<const double> values) {
  const double center = mean(values);
  double squares = 0;
  for (const double value : values) {
    squares += (value - center) * (value - center);
  }
  return values.size() < 2 ? 0.0 : std::sqrt(squares / static_cast<double>(values.size() - 1));
}

double mean_absolute_percentage_error(std::span<const double> predicted,
                                      std::span<const double> measured) {
  require_pairs(predicted, measured, "mean_absolute_percentage_error");
  double sum = 0;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    if (measured[i] == 0) {
      throw std::invalid_argument("[core::mean_absolute_percentage_error] measured[" +
                                  std::to_string(i) + "] must not be 0");
    }
    sum += std::abs((predicted[i] - measured[i]) / measured[i]);
  }
  return sum / static_cast<double>(measured.size());
}

double root_mean_square_error(std::span<const double> predicted, std::span<const double> measured) {
  require_pairs(predicted, measured, "root_mean_square_error");
  double sum = 0;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    sum += (predicted[i] - measured[i]) * (predicted[i] - measured[i]);
  }
  return std::sqrt(sum / static_cast<double>(measured.size()));
}

double spearman(std::span<const double> a, std::span<const double> b) {
  require_pairs(a, b, "spearman");
  return pearson(mean_ranks(a), mean_ranks(b));
}

double kendall_tau(std::span<const double> a, std::span<const double> b) {
  require_pairs(a, b, "kendall_tau");
  std::int64_t agreement = 0, untied_a = 0, untied_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = i + 1; j < a.size(); ++j) {
      const int order_a = sign(a[i] - a[j]);
      const int order_b = sign(b[i] - b[j]);
      agreement += std::int64_t{order_a} * order_b;
      untied_a += order_a != 0;
      untied_b += order_b != 0;
    }
  }
  if (untied_a == 0 || untied_b == 0) return 0;
  return static_cast<double>(agreement) / std::sqrt(static_cast<double>(untied_a)) /
         std::sqrt(static_cast<double>(untied_b));
}

}  // namespace lathe
