#include "lathe/regress/huber.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "lathe/core/statistics.h"

namespace lathe::regress {
std::vector<double> huber_weights(std::span<const double> errors, double k) {
  if (errors.empty() || !(k > 0)) {
    throw std::invalid_argument("[regress::huber_weights] needs errors and k > 0, got " +
                                std::to_string(errors.size()) + " and " + std::to_string(k));
  }
  // Rounding must not be taken for an error to be weighed.
  const double limit = k * std::max(robust_deviation(errors, 0.0), 1e-12);
  std::vector<double> weights;
  for (const double error : errors) {
    weights.push_back(std::min(1.0, limit / std::max(std::abs(error), 1e-300)));
  }
  return weights;
}

}  // namespace lathe::regress
