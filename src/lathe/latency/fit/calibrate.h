// Fitting a sum of separately timed blocks to nets timed whole.
#pragma once

#include <span>

namespace lathe::latency {

/// measured = bias_ms + scale * predicted.
struct Correction {
  double bias_ms = 0.0;
  double scale = 1.0;
  double apply(double predicted_ms) const { return bias_ms + scale * predicted_ms; }
};

/// The correction that makes predictions fit measurements: least squares of the *relative* error
/// (a millisecond weighs less in a slow net), with Huber's weights so that a few disturbed
/// measurements don't count for more than the rest; started from the median of all pairwise slopes
/// (Theil-Sen). One sample, predictions that don't vary, or a slope that is not positive: scale 1
/// and the median difference as bias. O(n^2).
/// @throws std::invalid_argument if the two differ in size or are empty, or a value is not finite
/// and > 0.
Correction fit_correction(std::span<const double> predicted_ms,
                          std::span<const double> measured_ms);

}  // namespace lathe::latency
