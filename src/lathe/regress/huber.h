// Weights that keep a few wild observations from deciding a fit.
#pragma once

#include <span>
#include <vector>

namespace lathe::regress {

/// 95% of least squares' efficiency when the errors are normal after all.
inline constexpr double kHuber = 1.345;

/// Huber's weights for an iteration of reweighted least squares: 1 for an error of at most `k`
/// standard deviations, k * deviation / |error| beyond. The deviation is the errors' own, by their
/// median absolute value. The smaller `k`, the nearer the fit is to the least absolute error.
/// @throws std::invalid_argument if `errors` is empty or `k` is not > 0.
std::vector<double> huber_weights(std::span<const double> errors, double k = kHuber);

}  // namespace lathe::regress
