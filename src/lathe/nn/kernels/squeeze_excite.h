// A whole squeeze-and-excite block as one operation.
#pragma once

#include "lathe/nn/kernels/norm/normalised.h"

namespace lathe::nn {

/// The two layers between the mean of a channel and its gate.
struct SqueezeExciteLayers {
  at::Tensor reduce_weight;  ///< [S, C, 1, 1]
  at::Tensor reduce_bias;    ///< [S]
  at::Tensor expand_weight;  ///< [C, S, 1, 1]
  at::Tensor expand_bias;    ///< [C]
};

/// y * gate for y = the value of x: [N, C, H, W] and
/// gate = hard_sigmoid(expand(relu(reduce(mean of y over H and W)))): [N, C, 1, 1]. Differentiable
/// in the tensors of x and of `layers`, once. Reads z twice and writes the result; y itself is not
/// kept.
///
/// The result is channels-last. Its bits do not depend on the number of threads as far as those of
/// the library's matrix product don't.
///
/// @throws std::invalid_argument if the shapes are not these, or where kernels_run() is false. The
/// backward pass throws std::logic_error when asked for a differentiable gradient.
at::Tensor squeeze_excite(const Normalised& x, const SqueezeExciteLayers& layers);

}  // namespace lathe::nn
