// 1 x 1 convolution in channels-last: a matrix product that normalises its input and takes the
// moments of its output while they are in the cache.
#pragma once

#include "lathe/nn/kernels/norm/normalised.h"

namespace lathe::nn {

/// conv2d(x, weight) for x: [N, C, H, W] and weight: [K, C, 1, 1], which may be any view of a
/// larger one. `with_moments` also gives the moments of the result. Differentiable in z, moments,
/// weight and bias of x and in weight, once; of the forward pass only z of x and of the result are
/// kept.
///
/// Results are channels-last (other layouts of x are converted first), and their bits do not depend
/// on the number of threads.
///
/// @throws std::invalid_argument if the shapes are not these, where kernels_run() is false for x or
/// weight, or with_moments and one value a channel. The backward pass throws std::logic_error when
/// asked for a differentiable gradient.
ConvResult pointwise_conv(const Normalised& x, const at::Tensor& weight, bool with_moments);

}  // namespace lathe::nn
