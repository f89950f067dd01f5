// The passes of mixed_ops() on raw arrays, and what is kept between them.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lathe/nn/kernels/mixing/mixed_ops.h"
#include "lathe/nn/kernels/mixing/mixed_sum_rows.h"
#include "lathe/nn/kernels/mixing/separable_images.h"
#include "lathe/nn/kernels/norm/normalised_rows.h"

namespace lathe::nn {

class MixedOpsPass : public torch::CustomClassHolder {
 public:
  /// All tensors of `call` detached, inputs channels-last, the shapes checked.
  explicit MixedOpsPass(MixedOps call);

  at::Tensor forward();
  /// Of all batch norms, op by op.
  std::vector<at::Tensor> moments() const;

  struct Needs {
    std::vector<bool> inputs;
    std::vector<bool> convs;  ///< of all convs, op by op
  };
  struct Gradients {
    std::vector<at::Tensor> inputs;  ///< undefined where not needed
    std::vector<at::Tensor> convs;   ///< depthwise and pointwise weights, op by op, likewise
    at::Tensor weights;
  };
  /// grad: channels-last. Call once: what was kept is given up.
  Gradients backward(const at::Tensor& grad, const Needs& needs);

 private:
  /// What an op has of its own: a result and its moments for each conv, or of a pool.
  struct State {
    std::vector<at::Tensor> z, moments;
    std::vector<SeparableImages> convs;
    at::Tensor grad_first;        ///< of the first of two convs' results, but for its moments' part
    MomentsGrad join{{}, {}, 0};  ///< that part
    std::vector<float> slope, offset;
  };
  using Indices = std::vector<std::size_t>;

  Indices ops_of(std::size_t input) const;
  void make_first(std::size_t input);
  void make_second(std::size_t op);
  std::vector<MixedInput> terms() const;
  NormalisedRows between(std::size_t op) const;
  void prepare_backward(const Needs& needs);
  at::Tensor use_sums(const MixedSumRows& rows, const std::vector<double>& sums);
  void second_backward(std::size_t op, const MixedSumRows& rows, const at::Tensor& grad);
  at::Tensor first_backward(std::size_t input, bool x_needed, const MixedSumRows& rows,
                            const at::Tensor& grad);
  void begin_input_grad(std::size_t input, std::int64_t image, const MixedSumRows& rows,
                        const at::Tensor& grad, float* to) const;
  void pool_backward(std::size_t op, std::int64_t image, const MixedSumRows& rows,
                     const at::Tensor& grad, float* to) const;
  void conv_backward(std::size_t op, SeparableImages::Image with, std::int64_t image,
                     const MixedSumRows& rows, const at::Tensor& grad);
  /// Writes the gradient of an image of what op's batch norm reads.
  void join(std::size_t op, std::int64_t image, const MixedSumRows& rows, const at::Tensor& grad,
            float* to) const;

  MixedOps call_;
  std::vector<State> states_;
  std::int64_t images_ = 0;
  std::int64_t channels_ = 0;
  std::int64_t out_height_ = 0;
  std::int64_t out_width_ = 0;
};

}  // namespace lathe::nn
