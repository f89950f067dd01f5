// Batch-norm recalibration: a subnet's activations are not the supernet's.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>

#include "lathe/nn/executor.h"

namespace lathe::nn {

/// The next batch [N, C, H, W], or nothing at the end.
using BatchSource = std::function<std::optional<at::Tensor>()>;

/// Replaces the running statistics in `binding` (by fresh tensors: shared ones are not touched) by
/// the averages of the batches' statistics, weighted by their sizes. About 2,000 training images
/// at the active resolution are enough. Variances are the biased ones, as in the public code.
/// @throws std::invalid_argument if there is no batch.
/// @see Once-for-All, appendix; reference implementation `set_running_statistics`.
void calibrate_batch_norm(const Executor& executor, Binding& binding, const BatchSource& batches);

}  // namespace lathe::nn
