#include "lathe/train/predictors/latency_perceptron.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "lathe/core/statistics.h"

namespace lathe::train {
namespace {

constexpr std::size_t kLeftOut = 5;  // every fifth sample, to choose the share by

// Nets that a device hardly executes would outweigh all others with their relative errors.
constexpr double kLeastOfMean = 0.1;

/// The relative error of base + share * correction, summed over the samples left out.
double error_of_share(double share, std::span<const double> correction_ms,
                      std::span<const double> measured_ms, std::span<const double> base_ms) {
  const double least = kLeastOfMean * mean(measured_ms);
  double sum = 0.0;
  for (std::size_t i = 0; i < correction_ms.size(); ++i) {
    const std::size_t at = i * kLeftOut;
    sum += std::abs(base_ms[at] + share * correction_ms[i] - measured_ms[at]) /
           std::max(measured_ms[at], least);
  }
  return sum;
}

double choose_share(std::span<const float> inputs, std::span<const double> residual_ms,
                    std::span<const double> measured_ms, std::span<const double> base_ms,
                    const FitPerceptronOptions& options) {
  const std::size_t width = inputs.size() / residual_ms.size();
  std::vector<float> seen, left_out;
  std::vector<double> targets_ms;
  for (std::size_t i = 0; i < residual_ms.size(); ++i) {
    const auto row = inputs.subspan(i * width, width);
    std::vector<float>& rows = i % kLeftOut == 0 ? left_out : seen;
    rows.insert(rows.end(), row.begin(), row.end());
    if (i % kLeftOut != 0) targets_ms.push_back(residual_ms[i]);
  }
  const ScaledPerceptron first = fit_scaled_perceptron(seen, targets_ms, options);
  std::vector<double> correction_ms;
  for (const float output : first.perceptron.predict(left_out)) {
    correction_ms.push_back(first.to_ms(output));
  }
  double best = 0.0;
  double least = std::numeric_limits<double>::infinity();
  for (const double share : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    const double error = error_of_share(share, correction_ms, measured_ms, base_ms);
    if (error < least) {
      least = error;
      best = share;
    }
  }
  return best;
}

}  // namespace

FitPerceptronOptions published_latency_perceptron() {
  return {.hidden = {112, 256, 64},
          .activation = regress::HiddenActivation::kSigmoid,
          .optimizer = PerceptronOptimizer::kMomentum,
          .epochs = 1000,
          .batch_size = 200,
          .learning_rate = 0.01,
          .weight_decay = 1e-5};
}

FitPerceptronOptions fast_latency_perceptron(std::size_t samples) {
  return {.hidden = {112, 256, 64},
          .activation = regress::HiddenActivation::kSigmoid,
          .epochs = 50,
          .batch_size = static_cast<int>(std::clamp<std::size_t>(samples / 16, 8, 200)),
          .learning_rate = 5e-3,
          .weight_decay = 1e-4};
}

ScaledPerceptron fit_scaled_perceptron(std::span<const float> inputs,
                                       std::span<const double> targets_ms,
                                       const FitPerceptronOptions& options) {
  const double center = targets_ms.empty() ? 0.0 : mean(targets_ms);
  double squares = 0.0;
  for (const double ms : targets_ms) {
    squares += (ms - center) * (ms - center);
  }
  const double scale = std::max(std::sqrt(squares / static_cast<double>(targets_ms.size())), 1e-12);
  std::vector<float> targets;
  for (const double ms : targets_ms) {
    targets.push_back(static_cast<float>((ms - center) / scale));
  }
  return {
      .perceptron = fit_perceptron(inputs, targets, options), .mean_ms = center, .scale_ms = scale};
}

ScaledPerceptron fit_residual_perceptron(std::span<const float> inputs,
                                         std::span<const double> measured_ms,
                                         std::span<const double> base_ms,
                                         const FitPerceptronOptions& options) {
  if (measured_ms.size() != base_ms.size() || measured_ms.size() <= kLeftOut) {
    throw std::invalid_argument(
        "[train::fit_residual_perceptron] needs as many values of base_ms as measured_ms, more "
        "than " +
        std::to_string(kLeftOut) + ", got " + std::to_string(base_ms.size()) + " and " +
        std::to_string(measured_ms.size()));
  }
  std::vector<double> residual_ms;
  for (std::size_t i = 0; i < measured_ms.size(); ++i) {
    residual_ms.push_back(measured_ms[i] - base_ms[i]);
  }
  const double share = choose_share(inputs, residual_ms, measured_ms, base_ms, options);
  ScaledPerceptron fit = fit_scaled_perceptron(inputs, residual_ms, options);
  fit.mean_ms *= share;
  fit.scale_ms *= share;
  return fit;
}

}  // namespace lathe::train
