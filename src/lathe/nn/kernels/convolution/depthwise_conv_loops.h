// The loops of depthwise convolution on raw channels-last arrays; see depthwise_conv.h for the
// function that users call.
#pragma once

#include <cstdint>

#include "lathe/core/isa.h"

namespace lathe::nn {

/// Sizes of one depthwise convolution. Arrays of activations are [N, H, W, C].
struct DepthwiseShape {
  std::int64_t channels = 0;
  std::int64_t height = 0;  ///< of the input
  std::int64_t width = 0;
  std::int64_t out_height = 0;  ///< of the output
  std::int64_t out_width = 0;
  int kernel = 3;    ///< 3, 5 or 7
  int stride = 1;    ///< 1 or 2
  int dilation = 1;  ///< 1 or 2

  int padding() const { return dilation * (kernel / 2); }
};

/// What one instruction set offers for one shape. Channels are worked on in blocks of `lanes`, the
/// last of which is moved back to end at the last channel; so `lanes` <= channels. Taps and their
/// gradient are [blocks, k * k, lanes], and where two blocks share channels, both have them. Where
/// several pixels of few channels fill a vector, `lanes` are the channels. All pointers are to one
/// image; rows are [row_begin, row_end).
struct DepthwiseLoops {
  int lanes = 1;
  /// Rows of y from x, added to what is there if `add`, which needs that no blocks share channels:
  /// `lanes` divides them. With stride 1 and the kernel turned by 180 degrees
  /// also the input's gradient.
  void (*forward)(const DepthwiseShape&, const float* x, const float* taps, bool add, float* y,
                  std::int64_t row_begin, std::int64_t row_end);
  /// Rows of grad_x from grad_y, for stride 2, likewise.
  void (*grad_input)(const DepthwiseShape&, const float* grad_y, const float* taps, bool add,
                     float* grad_x, std::int64_t row_begin, std::int64_t row_end);
  /// Adds to grad_taps what rows of grad_y contribute.
  void (*grad_weight)(const DepthwiseShape&, const float* x, const float* grad_y, float* grad_taps,
                      std::int64_t row_begin, std::int64_t row_end);
};

/// The loops for `isa`, which the machine must have.
DepthwiseLoops depthwise_loops(const DepthwiseShape& shape, Isa isa = best_isa());

}  // namespace lathe::nn
