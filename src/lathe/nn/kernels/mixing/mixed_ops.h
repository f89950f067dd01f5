// A node of a net that is searched as one operation: the sum of all operations on all of its
// inputs, each times a number.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "lathe/nn/kernels/convolution/depthwise_conv.h"

namespace lathe::nn {

/// ReLU, a depthwise convolution, a pointwise one, and batch norm without scale and shift.
struct SeparableConv {
  at::Tensor depthwise;  ///< [C, 1, k, k], k 3, 5 or 7, padded as depthwise_conv()
  at::Tensor pointwise;  ///< [C, C, 1, 1]
  DepthwiseSteps steps;
  double eps = 1e-5;
};

struct MixedOp {
  enum class Kind {
    kIdentity,   ///< the input itself
    kMaxPool,    ///< 3 x 3 with padding 1, and batch norm without scale and shift
    kAvgPool,    ///< likewise; of the pixels inside
    kSeparable,  ///< one or two convolutions, the second at stride 1
  };
  Kind kind = Kind::kIdentity;
  std::size_t input = 0;             ///< which of the inputs
  std::int64_t stride = 1;           ///< of a pool
  double eps = 1e-5;                 ///< of a pool's batch norm
  std::vector<SeparableConv> convs;  ///< of kSeparable
};

struct MixedOps {
  std::vector<at::Tensor> inputs;  ///< [N, C, H, W]; sizes may differ, as far as strides need it
  std::vector<MixedOp> ops;
  at::Tensor weights;  ///< [ops], what each is multiplied with
  /// PC-DARTS: of inputs [N, C * channel_parts, H, W] ops see the first C channels. The others
  /// bypass them, through a 2 x 2 max pool where the result is smaller, and are shuffled in
  /// between.
  std::int64_t channel_parts = 1;
  std::vector<std::size_t> bypassing;  ///< which inputs are that wide: each of those, once
  at::Tensor bypass_weights;           ///< [bypassing], what each is multiplied with on the way
};

struct MixedOpsResult {
  at::Tensor y;  ///< [N, C * channel_parts, H', W'], channels-last
  /// [2, C], not differentiable: mean and biased variance of what each batch norm reads, op by op.
  std::vector<at::Tensor> moments;
};

/// Runs all of it with the batch's statistics. Differentiable in inputs and weights, once, and
/// backward once: besides the inputs it keeps only what batch norms read. The bits do not depend on
/// the number of threads.
/// @see DARTS (Liu et al., ICLR 2019), section 2.2: equation 2 for all edges into a node; PC-DARTS
/// (Xu et al., ICLR 2020), section 3.
/// @throws std::invalid_argument if shapes don't fit, strides or dilations are neither 1 nor 2,
/// there is one value a channel, or kernels_run() is false for an input or a weight. The backward
/// pass throws std::logic_error when asked for a differentiable gradient.
MixedOpsResult mixed_ops(const MixedOps& call);

}  // namespace lathe::nn
