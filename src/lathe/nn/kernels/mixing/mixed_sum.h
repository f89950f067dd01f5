// The sum of many maps, each times a number: a node of a net that is searched, with the batch norm
// of each operation in one pass over its result.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>

namespace lathe::nn {

/// One map, or one that batch norm without scale and shift is still to be done to: then (z - mean) /
/// sqrt(variance + eps) counts.
struct MixedInput {
  at::Tensor z;        ///< [N, C, H, W], of all inputs the same
  at::Tensor moments;  ///< [2, C]: mean and (biased) variance, or undefined
  double eps = 1e-5;
};

/// The sum of weights[i] times input i; weights: [inputs]. Differentiable in z, moments and weights,
/// once. float32 on the CPU runs here, and the result is channels-last (other layouts are converted
/// first); everything else goes to the library's operations. The bits do not depend on the number of
/// threads.
/// @throws std::invalid_argument if there is no input, or shapes don't fit. The backward pass throws
/// std::logic_error when asked for a differentiable gradient.
at::Tensor mixed_sum(std::span<const MixedInput> inputs, const at::Tensor& weights);

/// The same by the library's operations alone, any number of times differentiable.
at::Tensor mixed_sum_by_library(std::span<const MixedInput> inputs, const at::Tensor& weights);

}  // namespace lathe::nn
