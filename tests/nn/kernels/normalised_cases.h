// Inputs that are normalised when they are read, and the library's operations for the same.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "lathe/nn/kernels/norm/batch_norm_act.h"
#include "lathe/nn/kernels/norm/normalised.h"

namespace lathe::nn::test {

using Tensors = std::vector<at::Tensor>;

inline constexpr double kEps = 1e-3;

inline at::Tensor image(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
  return at::randn({n, c, h, w}).contiguous(at::MemoryFormat::ChannelsLast);
}

/// z, moments, weight and bias of a pending input, none of them trivial.
inline Tensors pending_inputs(const at::Tensor& z) {
  const std::int64_t channels = z.size(1);
  return {z, at::stack({at::randn({channels}), at::rand({channels}) + 0.5}),
          at::rand({channels}) + 0.5, at::randn({channels})};
}

/// The first four of `in` as an input whose batch norm is pending.
inline Normalised pending(const Tensors& in, graph::Activation activation) {
  return {in[0], in[1], in[2], in[3], kEps, activation};
}

/// What that stands for.
inline at::Tensor computed(const Tensors& in, graph::Activation activation) {
  const auto vector = [](const at::Tensor& t) { return t.view({1, -1, 1, 1}); };
  const at::Tensor centred = (in[0] - vector(in[1][0])) / (vector(in[1][1]) + kEps).sqrt();
  return activate(centred * vector(in[2]) + vector(in[3]), activation);
}

inline at::Tensor moments_of(const at::Tensor& z) {
  const at::Tensor mean = z.mean({0, 2, 3});
  return at::stack({mean, (z - mean.view({1, -1, 1, 1})).square().mean({0, 2, 3})});
}

/// Both results of a convolution as one tensor, the moments made to count.
inline at::Tensor joined(const at::Tensor& z, const at::Tensor& moments) {
  return at::cat({z.contiguous().flatten(), 10 * moments.flatten()});
}

}  // namespace lathe::nn::test
