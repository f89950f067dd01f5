// Depthwise convolution on the CPU, several times faster than the library's, forward and backward.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lathe/nn/kernels/norm/normalised.h"

namespace lathe::nn {

/// Pixels between neighbouring outputs, and between neighbouring taps.
struct DepthwiseSteps {
  std::int64_t stride = 1;
  std::int64_t dilation = 1;
};

/// The depthwise convolution of x: [N, C, H, W] with weight: [C, 1, k, k] at padding
/// dilation * (k / 2), without bias: [N, C, ceil(H / stride), ceil(W / stride)] for odd k.
/// Differentiable in both arguments, once. `weight` may be a strided view, such as a crop of a
/// larger kernel.
///
/// float32 on the CPU with k 3, 5 or 7 and stride and dilation 1 or 2 runs here, and the result is
/// channels-last (other layouts of x are converted first); everything else goes to at::conv2d. The
/// bits do not depend on the number of threads.
///
/// @throws std::invalid_argument if x is not 4-d, weight not [C, 1, k, k] with odd k, or stride or
/// dilation < 1. The backward pass throws std::logic_error when asked for a differentiable
/// gradient.
at::Tensor depthwise_conv(const at::Tensor& x, const at::Tensor& weight, DepthwiseSteps steps);

/// The same of an input that may be pending; `with_moments` also gives the moments of the result.
/// Differentiable in z, moments, weight and bias of x and in weight, once; of the forward pass only
/// z of x and of the result are kept.
///
/// @throws std::invalid_argument also for what does not run here, or with_moments and one value a
/// channel.
ConvResult depthwise_conv(const Normalised& x, const at::Tensor& weight, DepthwiseSteps steps,
                          bool with_moments);

}  // namespace lathe::nn
