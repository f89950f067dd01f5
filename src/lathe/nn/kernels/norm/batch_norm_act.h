// Batch norm and the activation after it as one operation: half the passes over memory of the two,
// and one saved tensor instead of two.
#pragma once

#include <ATen/core/Tensor.h>

#include "lathe/graph/graph.h"

namespace lathe::nn {

struct BatchNormActOptions {
  bool training = false;  ///< normalise with the batch's statistics and update the running ones
  double momentum = 0.1;  ///< weight of the batch in the running statistics
  double eps = 1e-5;
  graph::Activation activation = graph::Activation::kNone;
};

/// activation(batch_norm(x)) for x: [N, C, H, W], and weight, bias, running_mean, running_var: [C],
/// which may be views such as narrow() of longer ones. When training, running_mean and running_var
/// are updated in place, the variance with the unbiased estimate, as at::batch_norm does.
/// Differentiable in x, weight and bias, once; of the forward pass only x is kept.
///
/// float32 on the CPU runs here, and the result is channels-last (other layouts of x are converted
/// first); everything else goes to the library's operations. The bits do not depend on the number
/// of threads.
///
/// @throws std::invalid_argument if x is not 4-d, a vector's size is not C, or training with one
/// value a channel. The backward pass throws std::logic_error when asked for a differentiable
/// gradient.
at::Tensor batch_norm_act(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                          const at::Tensor& running_mean, const at::Tensor& running_var,
                          const BatchNormActOptions& options);

/// The activation alone, by the library's operations: for what batch_norm_act cannot fuse.
at::Tensor activate(const at::Tensor& x, graph::Activation activation);

}  // namespace lathe::nn
