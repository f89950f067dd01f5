// The loops of 3 x 3 pooling with padding 1 on raw channels-last arrays.
#pragma once

#include <cstdint>

#include "lathe/core/isa.h"

namespace lathe::nn {

/// Sizes of one pooling. The average is over the pixels inside the image.
struct PoolShape {
  std::int64_t channels = 0;
  std::int64_t height = 0;  ///< of the input
  std::int64_t width = 0;
  std::int64_t out_height = 0;  ///< of the output
  std::int64_t out_width = 0;
  int stride = 1;  ///< 1 or 2

  /// Floats that the loops need for themselves.
  std::int64_t scratch() const { return 5 * (width + 4) * channels + 64; }
};

/// What one instruction set offers. All pointers are to one image, `buffer` to scratch() floats.
struct PoolLoops {
  void (*max)(const PoolShape&, const float* x, float* buffer, float* y);
  void (*average)(const PoolShape&, const float* x, float* buffer, float* y);
  /// Adds to grad_x. Of equal largest pixels the leftmost has the gradient, of those the uppermost.
  void (*max_backward)(const PoolShape&, const float* x, const float* y, const float* grad_y,
                       float* buffer, float* grad_x);
  void (*average_backward)(const PoolShape&, const float* grad_y, float* buffer, float* grad_x);
};

/// The loops for `isa`, which the machine must have.
PoolLoops pool_loops(std::int64_t channels, Isa isa = best_isa());

}  // namespace lathe::nn
