// The loops of mixed_sum on raw arrays; see mixed_sum.h for the function that users call.
#pragma once

#include <cstdint>

#include "lathe/core/isa.h"

namespace lathe::nn {

/// What one instruction set offers. Arrays are `count` floats; number i of one has the coefficients
/// i % period, where `period` is a multiple of `lanes` and so of the channels: few channels then
/// still fill a vector.
struct MixedSumLoops {
  int lanes = 1;
  /// y += scale * (z - mean), or y = that if `first`.
  void (*add)(const float* z, std::int64_t count, std::int64_t period, const float* mean,
              const float* scale, bool first, float* y);
  /// grad_z = scale * grad_y unless it is null, and sums[i % period] += grad_y * (z - mean).
  /// `count` is at most a few hundred periods: it is added up in single precision first.
  void (*backward)(const float* z, const float* grad_y, std::int64_t count, std::int64_t period,
                   const float* mean, const float* scale, float* grad_z, double* sums);
  /// to = scale * grad_y + slope * (z - mean) + offset.
  void (*join)(const float* z, const float* grad_y, std::int64_t count, std::int64_t period,
               const float* mean, const float* scale, const float* slope, const float* offset,
               float* to);
  /// y = x where x is positive, else 0.
  void (*rectify)(const float* x, std::int64_t count, float* y);
  /// to += grad where x is positive.
  void (*add_rectified)(const float* x, const float* grad, std::int64_t count, float* to);
  /// sums[i % period] += y.
  void (*sum)(const float* y, std::int64_t count, std::int64_t period, double* sums);
};

/// The loops for `isa`, which the machine must have.
MixedSumLoops mixed_sum_loops(Isa isa = best_isa());

}  // namespace lathe::nn
