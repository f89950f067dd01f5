// The loops of batch norm and activation on raw [rows, channels] arrays; see batch_norm_act.h for
// the function that users call.
#pragma once

#include <cstdint>

#include "lathe/core/isa.h"
#include "lathe/graph/graph.h"

namespace lathe::nn {

/// What one instruction set offers for one activation. All arrays of activations are contiguous
/// [rows, channels]; vectors are [channels]. d is x - mean, z is scale * d + bias, and y is
/// activation(z); centring first keeps the precision of channels whose mean is far from 0.
struct BatchNormActLoops {
  /// Writes sums[0, c] = sum of x - origin[c] over the rows and sums[1, c] = sum of its square.
  void (*moments)(const float* x, std::int64_t rows, std::int64_t channels, const float* origin,
                  double* sums);
  void (*forward)(const float* x, std::int64_t rows, std::int64_t channels, const float* mean,
                  const float* scale, const float* bias, float* y);
  /// Writes sums[0, c] = sum of grad_z and sums[1, c] = sum of grad_z * d.
  void (*grad_sums)(const float* x, const float* grad_y, std::int64_t rows, std::int64_t channels,
                    const float* mean, const float* scale, const float* bias, double* sums);
  /// grad_x = scale * grad_z + slope * d + offset.
  void (*grad_input)(const float* x, const float* grad_y, std::int64_t rows, std::int64_t channels,
                     const float* mean, const float* scale, const float* bias, const float* slope,
                     const float* offset, float* grad_x);
  /// grad_x = scale * grad_z, where grad_x may be grad_y, and writes the sums of grad_sums: the
  /// backward pass of `forward` for given statistics.
  void (*chain)(const float* x, const float* grad_y, std::int64_t rows, std::int64_t channels,
                const float* mean, const float* scale, const float* bias, float* grad_x,
                double* sums);
  /// grad_x = grad + slope * d + offset: the gradient by way of the statistics added.
  void (*add_moments_grad)(const float* x, const float* grad, std::int64_t rows,
                           std::int64_t channels, const float* mean, const float* slope,
                           const float* offset, float* grad_x);
};

/// The loops for `isa`, which the machine must have.
BatchNormActLoops batch_norm_act_loops(std::int64_t channels, graph::Activation activation,
                                       Isa isa = best_isa());

}  // namespace lathe::nn
