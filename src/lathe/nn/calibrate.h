// Batch-norm recalibration: a subnet's activations are not the supernet's.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <vector>

#include "lathe/nn/executor.h"

namespace lathe::nn {

/// Replaces running statistics by the averages of batches' statistics, weighted by their sizes.
/// About 2,000 training images at the active resolution are enough. Variances are the biased ones,
/// as in the public code.
/// @see Once-for-All, appendix; reference implementation `set_running_statistics`.
class BatchNormCalibration {
 public:
  /// Gives `binding` fresh statistics: shared ones are not touched. Both must outlive it.
  BatchNormCalibration(const Executor& executor, Binding& binding);
  /// Runs a batch [N, C, H, W].
  void add(const at::Tensor& batch);
  /// Writes the averages. @throws std::invalid_argument if there was no batch.
  void finish();

 private:
  struct Sums {
    int node;
    at::Tensor mean, var;
  };
  const Executor& executor_;
  Binding& binding_;
  std::vector<Sums> sums_;
  std::int64_t images_ = 0;
};

/// The next batch [N, C, H, W], or nothing at the end.
using BatchSource = std::function<std::optional<at::Tensor>()>;

/// All of it for one net. @throws std::invalid_argument if there is no batch.
void calibrate_batch_norm(const Executor& executor, Binding& binding, const BatchSource& batches);

}  // namespace lathe::nn
