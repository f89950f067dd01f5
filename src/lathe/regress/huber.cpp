#include "lathe/regress/huber.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "lathe/core/statistics.h"

namespace lathe::regress {
namespace {

constexpr double kMadToSigma = 1.4826;

}  // namespace

std::vector<double> huber_weights(std::span<const double> errors, double k) {
  if (errors.empty() || !(k > 0)) {
    throw std::invalid_argument("[regress::huber_weights] needs errors and k > 0, got " +
                                std::to_string(errors.size()) + " and " + std::to_string(k));
  }
  std::vector<double> weights(errors.size());
  std::transform(errors.begin(), errors.end(), weights.begin(),
                 [](double error) { return std::abs(error); });
  // Rounding must not be taken for an error to be weighed.
  const double limit = k * std::max(kMadToSigma * median(weights), 1e-12);
  for (double& weight : weights) {
    weight = std::min(1.0, limit / std::max(weight, 1e-300));
  }
  return weights;
}

}  // namespace lathe::regress
