// The loops of squeeze_excite, scale_channels and global_avg_pool on raw [rows, channels] arrays of
// one image.
#pragma once

#include <cstdint>

#include "lathe/core/isa.h"

namespace lathe::nn {

/// What one instruction set offers.
struct ChannelLoops {
  /// Writes sums[c] = sum of x over the rows.
  void (*sum)(const float* x, std::int64_t rows, std::int64_t channels, double* sums);
  /// y = x * gate[c].
  void (*scale)(const float* x, std::int64_t rows, std::int64_t channels, const float* gate,
                float* y);
  /// grad_x = grad_y * gate[c], and writes sums[c] = sum of grad_y * x.
  void (*scale_backward)(const float* x, const float* grad_y, std::int64_t rows,
                         std::int64_t channels, const float* gate, float* grad_x, double* sums);
  /// Writes sums[c] = sum of x * y over the rows.
  void (*dot)(const float* x, const float* y, std::int64_t rows, std::int64_t channels,
              double* sums);
  /// y = x * gate[c] + shift[c].
  void (*scale_shift)(const float* x, std::int64_t rows, std::int64_t channels, const float* gate,
                      const float* shift, float* y);
};

/// The loops for `isa`, which the machine must have.
ChannelLoops channel_loops(std::int64_t channels, Isa isa = best_isa());

}  // namespace lathe::nn
