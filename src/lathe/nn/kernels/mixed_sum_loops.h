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
  /// grad_z = scale * grad_y unless it is null, and sums[i % period] += grad_y * (z - mean). `count`
  /// is at most a few hundred periods: it is added up in single precision first.
  void (*backward)(const float* z, const float* grad_y, std::int64_t count, std::int64_t period,
                   const float* mean, const float* scale, float* grad_z, double* sums);
  /// sums[i % period] += y.
  void (*sum)(const float* y, std::int64_t count, std::int64_t period, double* sums);
};

/// The loops for `isa`, which the machine must have.
MixedSumLoops mixed_sum_loops(Isa isa = best_isa());

}  // namespace lathe::nn
