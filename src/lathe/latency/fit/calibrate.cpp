#include "lathe/latency/fit/calibrate.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "lathe/core/statistics.h"
#include "lathe/regress/huber.h"

namespace lathe::latency {
namespace {

constexpr int kMaxIterations = 50;
void check(std::span<const double> predicted_ms, std::span<const double> measured_ms) {
  if (predicted_ms.empty() || predicted_ms.size() != measured_ms.size()) {
    throw std::invalid_argument(
        "[latency::fit_correction] needs as many predicted as measured values, at least one; got " +
        std::to_string(predicted_ms.size()) + " and " + std::to_string(measured_ms.size()));
  }
  for (const auto values : {predicted_ms, measured_ms}) {
    for (const double value : values) {
      if (!std::isfinite(value) || value <= 0) {
        throw std::invalid_argument("[latency::fit_correction] values must be > 0, got " +
                                    std::to_string(value));
      }
    }
  }
}

Correction with_scale(double scale, std::span<const double> x, std::span<const double> y) {
  std::vector<double> rest(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    rest[i] = y[i] - scale * x[i];
  }
  return {.bias_ms = median(rest), .scale = scale};
}

// 0 if no two predictions differ.
double median_slope(std::span<const double> x, std::span<const double> y) {
  std::vector<double> slopes;
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = i + 1; j < x.size(); ++j) {
      if (std::abs(x[i] - x[j]) > 1e-9 * x[i]) {
        slopes.push_back((y[i] - y[j]) / (x[i] - x[j]));
      }
    }
  }
  return slopes.empty() ? 0.0 : median(slopes);
}

// Weights of the squared residuals: Huber's for the relative error, over measured^2.
std::vector<double> weights_of(const Correction& fit, std::span<const double> x,
                               std::span<const double> y) {
  std::vector<double> error(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    error[i] = (y[i] - fit.apply(x[i])) / y[i];
  }
  std::vector<double> weights = regress::huber_weights(error);
  for (std::size_t i = 0; i < x.size(); ++i) {
    weights[i] /= y[i] * y[i];
  }
  return weights;
}

Correction weighted_line(std::span<const double> weights, std::span<const double> x,
                         std::span<const double> y) {
  double total = 0, mean_x = 0, mean_y = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    total += weights[i];
    mean_x += weights[i] * x[i];
    mean_y += weights[i] * y[i];
  }
  mean_x /= total;
  mean_y /= total;
  double covariance = 0, variance = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    covariance += weights[i] * (x[i] - mean_x) * (y[i] - mean_y);
    variance += weights[i] * (x[i] - mean_x) * (x[i] - mean_x);
  }
  const double scale = covariance / variance;
  return {.bias_ms = mean_y - scale * mean_x, .scale = scale};
}

}  // namespace

Correction fit_correction(std::span<const double> predicted_ms,
                          std::span<const double> measured_ms) {
  check(predicted_ms, measured_ms);
  const double slope = median_slope(predicted_ms, measured_ms);
  if (slope <= 0) {
    return with_scale(1.0, predicted_ms, measured_ms);
  }
  Correction fit = with_scale(slope, predicted_ms, measured_ms);
  for (int i = 0; i < kMaxIterations; ++i) {
    const Correction next =
        weighted_line(weights_of(fit, predicted_ms, measured_ms), predicted_ms, measured_ms);
    if (!std::isfinite(next.scale) || next.scale <= 0) {
      break;
    }
    const bool settled = std::abs(next.scale - fit.scale) < 1e-10 * fit.scale;
    fit = next;
    if (settled) {
      break;
    }
  }
  return fit;
}

}  // namespace lathe::latency
