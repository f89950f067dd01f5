// The two passes over the activations that a squeeze-and-excite block makes.
#pragma once

#include <ATen/core/Tensor.h>

namespace lathe::nn {

/// x * gate for x: [N, C, H, W] and gate: [N, C, 1, 1]. Differentiable in both, once; both
/// gradients come from one pass.
///
/// float32 on the CPU runs here, and the result is channels-last (other layouts of x are converted
/// first); everything else goes to the library's multiplication. The bits do not depend on the
/// number of threads.
///
/// @throws std::invalid_argument if the shapes are not these. The backward pass throws
/// std::logic_error when asked for a differentiable gradient.
at::Tensor scale_channels(const at::Tensor& x, const at::Tensor& gate);

/// The mean of x: [N, C, H, W] over H and W: [N, C, 1, 1]. Differentiable, and on the same terms as
/// scale_channels; its gradient is a view that repeats one number per channel, which costs nothing.
///
/// @throws std::invalid_argument if x is not 4-d.
at::Tensor global_avg_pool(const at::Tensor& x);

}  // namespace lathe::nn
