// What the kernels share that take a Normalised or give moments; see normalised.h.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lathe/nn/kernels/norm/batch_norm_act_loops.h"
#include "lathe/nn/kernels/norm/normalised.h"

namespace lathe::nn {

/// A buffer of this thread for intermediate results of one call, aligned; `slot` tells buffers
/// apart that are used at the same time. Kept for the next call.
float* scratch(int slot, std::int64_t floats);
constexpr int kScratchSlots = 6;

/// @throws std::invalid_argument "[nn::function] ..." if the shapes of x don't fit.
void check_normalised(const Normalised& x, const std::string& function);

/// Reads rows [rows, C] of a Normalised, and takes its gradient back.
class NormalisedRows {
 public:
  /// Nothing is kept of `x` but copies of its vectors.
  explicit NormalisedRows(const Normalised& x);
  bool pending() const { return pending_; }
  std::int64_t channels() const { return channels_; }

  /// y = what is pending of z. Only if pending().
  void read(const float* z, std::int64_t rows, float* y) const;
  /// grad_z = the gradient by way of z alone, from that of y; adds to sums [2, C]. They may be the
  /// same array. Only if pending().
  void chain(const float* z, const float* grad_y, std::int64_t rows, float* grad_z,
             double* sums) const;
  /// Gradients of moments [2, C], weight and bias from what chain() summed.
  struct VectorGrads {
    at::Tensor moments;
    at::Tensor weight;
    at::Tensor bias;
  };
  VectorGrads vector_grads(const double* sums) const;

 private:
  bool pending_;
  std::int64_t channels_;
  BatchNormActLoops loops_;
  std::vector<float> mean_, scale_, bias_;
  std::vector<double> invstd_, weight_;
};

/// Sums of `size` numbers that are kept apart for `parts` groups of work, whatever the number of
/// threads, and then added in order.
class PartSums {
 public:
  PartSums(std::int64_t parts, std::int64_t size)
      : parts_(parts), size_(size), sums_(static_cast<std::size_t>(parts * size)) {}
  double* part(std::int64_t part) { return sums_.data() + part * size_; }
  /// The sums of all parts; call once.
  const double* total();

 private:
  std::int64_t parts_;
  std::int64_t size_;
  std::vector<double> sums_;
};

/// Collects the moments of an array [rows, C] while it is made.
class MomentSums {
 public:
  /// `first_rows`: [count, C], the beginning of the array. Their mean is the origin that sums are
  /// taken about: about 0 they would cancel for a channel whose mean is far from it.
  MomentSums(const float* first_rows, std::int64_t count, std::int64_t channels,
             std::int64_t parts);
  void add(const float* z, std::int64_t rows, std::int64_t part);
  at::Tensor moments(std::int64_t rows);
  static constexpr std::int64_t kOriginRows = 16;

 private:
  std::int64_t channels_;
  BatchNormActLoops loops_;
  std::vector<float> origin_;
  PartSums sums_;
};

/// The gradient of an array z [rows, C] with that of its moments joined in.
class MomentsGrad {
 public:
  /// `moments` and `grad_moments` may be undefined: then there is nothing to join.
  MomentsGrad(const at::Tensor& moments, const at::Tensor& grad_moments, std::int64_t rows);
  /// The whole gradient of `rows` rows: `grad` itself, or `buffer` filled.
  const float* read(const float* z, const float* grad, std::int64_t rows, float* buffer) const;

 private:
  std::int64_t channels_ = 0;
  BatchNormActLoops loops_;
  std::vector<float> mean_, slope_, offset_;
};

}  // namespace lathe::nn
