// Weights of convolutions in the order in which the loops read them, and gradients back from it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "lathe/nn/kernels/convolution/depthwise_conv_loops.h"
#include "lathe/nn/kernels/matrix_loops.h"

namespace lathe::nn {

/// weight: [C, 1, k, k] of any strides as [blocks, k * k, lanes], turned by 180 degrees if
/// `turned`.
std::vector<float> pack_taps(const at::Tensor& weight, const DepthwiseShape& shape, int lanes,
                             bool turned);

/// [C, 1, k, k] from the sums [parts, blocks, k * k, lanes], which are added up in place.
at::Tensor unpack_taps(std::vector<float>& sums, std::int64_t parts, const DepthwiseShape& shape,
                       int lanes);

using Floats = std::unique_ptr<float[]>;

/// weight: [out, in, 1, 1] as the matrix that rows are multiplied with: [in, out], or [out, in] if
/// `transposed`.
Floats pack_matrix(const at::Tensor& weight, const MatrixLoops& loops, bool transposed);

/// The sums [parts, out, padded], which are added up in place, as the gradient of a weight
/// [out, in, 1, 1]: a view of the first part.
at::Tensor unpack_matrix(const at::Tensor& sums, std::int64_t in);

}  // namespace lathe::nn
