// A straight line through points.
#pragma once

#include <span>

namespace lathe::regress {

struct Line {
  double intercept = 0.0;
  double slope = 0.0;
  double at(double x) const { return intercept + slope * x; }
};

/// By least squares; level, at the mean of `y`, if `x` is everywhere the same. O(points).
/// @throws std::invalid_argument unless there are as many x as y, and one at least.
Line fit_line(std::span<const double> x, std::span<const double> y);

}  // namespace lathe::regress
