// A depthwise convolution and the pointwise one after it, an image at a time: what is between them
// stays in the cache, and is made again for the backward pass.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "lathe/nn/kernels/convolution/conv_weights.h"

namespace lathe::nn {

/// Floats of room behind an image that some arrays need.
constexpr std::int64_t kRoom = 16;

/// The convolutions of one layer, weights packed. Images are channels-last: x [H, W, C],
/// d and z [H', W', C].
class SeparableImages {
 public:
  /// depthwise: [C, 1, k, k], pointwise: [C, C, 1, 1].
  SeparableImages(const at::Tensor& depthwise, const at::Tensor& pointwise,
                  const DepthwiseShape& shape);

  const DepthwiseShape& shape() const { return shape_; }
  std::int64_t in_size() const { return shape_.height * shape_.width * shape_.channels; }
  std::int64_t out_size() const { return shape_.out_height * shape_.out_width * shape_.channels; }

  /// d is what is between the two.
  void forward(const float* x, float* d, float* z) const;

  /// Makes ready for backward() in `parts` parts. x_needed: the gradient of x is asked for;
  /// weights_needed: those of the weights.
  void begin_backward(std::int64_t parts, bool x_needed, bool weights_needed);
  bool x_needed() const { return x_needed_; }
  bool weights_needed() const { return weights_needed_; }

  /// One image of one part. x is read for the weights' gradients alone, like the room for d:
  /// out_size() + kRoom; grad_d has room for out_size(). Gradients of x are added to grad_x if
  /// `add`.
  struct Image {
    std::int64_t part = 0;
    const float* x = nullptr;
    const float* grad_z = nullptr;
    float* d = nullptr;
    float* grad_d = nullptr;
    bool add = false;
    float* grad_x = nullptr;
  };
  void backward(const Image& image);

  /// Once all images are done; only if they are needed.
  at::Tensor depthwise_grad();
  at::Tensor pointwise_grad() const;

 private:
  void make_between(const float* x, float* d) const;

  at::Tensor depthwise_, pointwise_;
  DepthwiseShape shape_;
  DepthwiseLoops depthwise_loops_;
  MatrixLoops matrix_loops_;
  std::vector<float> taps_;
  Floats panels_;
  bool x_needed_ = false;
  bool weights_needed_ = false;
  std::int64_t parts_ = 0;
  std::vector<float> grad_taps_;  ///< turned round at stride 1
  Floats grad_panels_;
  std::vector<float> depthwise_sums_;
  at::Tensor pointwise_sums_;
};

}  // namespace lathe::nn
