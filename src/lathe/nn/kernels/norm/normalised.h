// Batch norm and activation put off until a kernel reads its input, so that the normalised array
// need not exist: a convolution gives its result before batch norm together with its moments, and
// the next one normalises what it reads, a block at a time, on both ways.
#pragma once

#include <ATen/core/Tensor.h>

#include "lathe/graph/graph.h"

namespace lathe::nn {

/// activation((z - mean) / sqrt(variance + eps) * weight + bias), not computed yet; or, where
/// `moments` is undefined, z as it is.
struct Normalised {
  at::Tensor z;        ///< [N, C, H, W]
  at::Tensor moments;  ///< [2, C]: mean and (biased) variance, or undefined
  at::Tensor weight;   ///< [C]
  at::Tensor bias;     ///< [C]
  double eps = 1e-5;
  graph::Activation activation = graph::Activation::kNone;

  bool pending() const { return moments.defined(); }
};

/// What a convolution gives. Both are differentiable; through `moments` goes that part of the
/// gradient of z that batch statistics make.
struct ConvResult {
  at::Tensor z;
  at::Tensor moments;  ///< [2, C] of z over N, H and W; undefined if not asked for
};

/// True if the kernels run on this: float32 on the CPU, not empty. The rest is the caller's to run
/// by the library's operations.
bool kernels_run(const at::Tensor& x);

/// Computes it, plus `residual` where that is defined. z: channels-last; so is the result.
/// Differentiable in z, moments, weight, bias and residual, once. The bits do not depend on the
/// number of threads.
/// @throws std::invalid_argument if the shapes don't fit, or where kernels_run() is false.
at::Tensor apply(const Normalised& x, const at::Tensor& residual = {});

/// Moves running statistics towards `moments` of `count` values a channel, the variance with the
/// unbiased estimate, as at::batch_norm does.
/// @throws std::invalid_argument if count < 2.
void update_running(const at::Tensor& moments, std::int64_t count, double momentum,
                    const at::Tensor& running_mean, const at::Tensor& running_var);

}  // namespace lathe::nn
