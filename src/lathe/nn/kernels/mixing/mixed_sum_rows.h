// The passes of mixed_sum over channels-last maps, for what is made of them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lathe/nn/kernels/mixing/mixed_sum.h"
#include "lathe/nn/kernels/mixing/mixed_sum_loops.h"

namespace lathe::nn {

/// What both passes need of one call. Nothing is kept of the inputs but copies of their moments.
class MixedSumRows {
 public:
  MixedSumRows(const std::vector<MixedInput>& inputs, const at::Tensor& weights);

  std::int64_t channels() const { return channels_; }
  /// The vectors below repeat the channels' numbers up to this count.
  std::int64_t period() const { return period_; }
  const MixedSumLoops& loops() const { return loops_; }
  const float* mean(std::size_t input) const { return of(mean_, input); }
  const float* invstd(std::size_t input) const { return of(invstd_, input); }
  /// The weight times invstd.
  const float* scale(std::size_t input) const { return of(scale_, input); }

  /// All z must be channels-last.
  at::Tensor forward(const std::vector<MixedInput>& inputs) const;

  /// The sums over rows that gradients of vectors are made of: [inputs + 1, C], of grad_y times z
  /// centred and, last, of grad_y alone. Writes the gradients of z by way of z alone, where grad_z
  /// is defined. All z, and grad, must be channels-last.
  std::vector<double> backward(const std::vector<MixedInput>& inputs, const at::Tensor& grad,
                               std::vector<at::Tensor>& grad_z) const;

 private:
  const float* of(const std::vector<float>& vectors, std::size_t input) const {
    return vectors.data() + input * static_cast<std::size_t>(period_);
  }

  MixedSumLoops loops_;
  std::int64_t channels_;
  std::int64_t period_ = 0;
  std::int64_t block_ = 0;  ///< floats
  std::vector<float> mean_, invstd_, scale_;
};

}  // namespace lathe::nn
