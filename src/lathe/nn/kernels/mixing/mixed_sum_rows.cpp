#include "lathe/nn/kernels/mixing/mixed_sum_rows.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lathe/nn/kernels/images.h"
#include "lathe/nn/kernels/norm/normalised_rows.h"

namespace lathe::nn {
namespace {

/// Floats of each map that all inputs are added to before the next: what stays in the first-level
/// cache.
constexpr std::int64_t kBlockFloats = 2048;
/// Sums are kept apart for so many runs of blocks, whatever the number of threads.
constexpr std::int64_t kMaxParts = 16;
constexpr std::int64_t kPartBlocks = 8;

/// Calls body(first, count, part) for blocks of `total` floats, in parallel over the parts.
template <typename Body>
void for_each_block(std::int64_t total, std::int64_t block, std::int64_t parts, const Body& body) {
  const std::int64_t blocks = (total + block - 1) / block;
  at::parallel_for(0, parts, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = begin; part < end; ++part) {
      for (std::int64_t b = part * blocks / parts; b < (part + 1) * blocks / parts; ++b) {
        body(b * block, std::min(block, total - b * block), part);
      }
    }
  });
}

std::int64_t parts_of(std::int64_t total, std::int64_t block) {
  return std::clamp<std::int64_t>(total / (kPartBlocks * block), 1, kMaxParts);
}

}  // namespace

MixedSumRows::MixedSumRows(const std::vector<MixedInput>& inputs, const at::Tensor& weights)
    : loops_(mixed_sum_loops()), channels_(inputs.front().z.size(1)) {
  period_ = std::lcm(channels_, static_cast<std::int64_t>(loops_.lanes));
  block_ = std::max<std::int64_t>(1, kBlockFloats / period_) * period_;
  const at::Tensor dense = weights.contiguous();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const float weight = dense.data_ptr<float>()[i];
    for (std::int64_t k = 0; k < period_; ++k) {
      float center = 0;
      float slope = 1;
      if (inputs[i].moments.defined()) {
        const float* moments = inputs[i].moments.data_ptr<float>();
        center = moments[k % channels_];
        slope = static_cast<float>(
            1 / std::sqrt(static_cast<double>(moments[channels_ + k % channels_]) + inputs[i].eps));
      }
      mean_.push_back(center);
      invstd_.push_back(slope);
      scale_.push_back(weight * slope);
    }
  }
}

at::Tensor MixedSumRows::forward(const std::vector<MixedInput>& inputs) const {
  const at::Tensor& like = inputs.front().z;
  at::Tensor y = empty_image(like, channels_, like.size(2), like.size(3));
  float* to = y.data_ptr<float>();
  const std::int64_t total = y.numel();
  for_each_block(total, block_, parts_of(total, block_),
                 [&](std::int64_t first, std::int64_t count, std::int64_t) {
                   for (std::size_t i = 0; i < inputs.size(); ++i) {
                     loops_.add(inputs[i].z.data_ptr<float>() + first, count, period_, mean(i),
                                scale(i), i == 0, to + first);
                   }
                 });
  return y;
}

std::vector<double> MixedSumRows::backward(const std::vector<MixedInput>& inputs,
                                           const at::Tensor& grad,
                                           std::vector<at::Tensor>& grad_z) const {
  const std::int64_t total = grad.numel();
  const std::int64_t parts = parts_of(total, block_);
  const auto rows = static_cast<std::int64_t>(inputs.size()) + 1;
  PartSums sums(parts, rows * period_);
  const float* from = grad.data_ptr<float>();
  for_each_block(
      total, block_, parts, [&](std::int64_t first, std::int64_t count, std::int64_t part) {
        double* to = sums.part(part);
        for (std::size_t i = 0; i < inputs.size(); ++i, to += period_) {
          loops_.backward(inputs[i].z.data_ptr<float>() + first, from + first, count, period_,
                          mean(i), scale(i),
                          grad_z[i].defined() ? grad_z[i].data_ptr<float>() + first : nullptr, to);
        }
        loops_.sum(from + first, count, period_, to);
      });
  const double* all = sums.total();
  std::vector<double> by_channel(static_cast<std::size_t>(rows * channels_));
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t k = 0; k < period_; ++k) {
      by_channel[static_cast<std::size_t>(row * channels_ + k % channels_)] +=
          all[row * period_ + k];
    }
  }
  return by_channel;
}

}  // namespace lathe::nn
