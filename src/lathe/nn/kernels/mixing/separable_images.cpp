#include "lathe/nn/kernels/mixing/separable_images.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstddef>

#include "lathe/nn/kernels/norm/normalised_rows.h"

namespace lathe::nn {
namespace {

/// Rows of the output that go through both convolutions, so that what is between stays in the
/// first-level cache: about so many floats.
constexpr std::int64_t kBandFloats = 4096;

std::int64_t band_rows(const DepthwiseShape& s) {
  return std::clamp<std::int64_t>(kBandFloats / (s.out_width * s.channels), 1, s.out_height);
}

}  // namespace

SeparableImages::SeparableImages(const at::Tensor& depthwise, const at::Tensor& pointwise,
                                 const DepthwiseShape& shape)
    : depthwise_(depthwise),
      pointwise_(pointwise),
      shape_(shape),
      depthwise_loops_(depthwise_loops(shape)),
      matrix_loops_(matrix_loops()),
      taps_(pack_taps(depthwise, shape, depthwise_loops_.lanes, false)),
      panels_(pack_matrix(pointwise, matrix_loops_, false)) {}

void SeparableImages::forward(const float* x, float* d, float* z) const {
  const std::int64_t row_size = shape_.out_width * shape_.channels;
  const std::int64_t band = band_rows(shape_);
  for (std::int64_t row = 0; row < shape_.out_height; row += band) {
    const std::int64_t end = std::min(shape_.out_height, row + band);
    depthwise_loops_.forward(shape_, x, taps_.data(), false, d, row, end);
    matrix_loops_.product(d + row * row_size, shape_.channels, (end - row) * shape_.out_width,
                          shape_.channels, panels_.get(), shape_.channels, z + row * row_size);
  }
}

void SeparableImages::begin_backward(std::int64_t parts, bool x_needed, bool weights_needed) {
  x_needed_ = x_needed;
  weights_needed_ = weights_needed;
  parts_ = parts;
  grad_panels_ = pack_matrix(pointwise_, matrix_loops_, true);
  grad_taps_ = pack_taps(depthwise_, shape_, depthwise_loops_.lanes, shape_.stride == 1);
  const std::int64_t sums = weights_needed ? parts : 0;
  depthwise_sums_.assign(static_cast<std::size_t>(sums) * taps_.size(), 0);
  pointwise_sums_ =
      at::zeros({sums, shape_.channels, matrix_loops_.padded(shape_.channels)}, at::kFloat);
}

void SeparableImages::backward(const Image& image) {
  const std::int64_t channels = shape_.channels;
  const std::int64_t row_size = shape_.out_width * channels;
  const std::int64_t band = band_rows(shape_);
  float* tap_sums = depthwise_sums_.data() +
                    image.part * static_cast<std::int64_t>(depthwise_sums_.size()) / parts_;
  float* matrix_sums =
      pointwise_sums_.data_ptr<float>() + image.part * pointwise_sums_.numel() / parts_;
  for (std::int64_t row = 0; row < shape_.out_height; row += band) {
    const std::int64_t end = std::min(shape_.out_height, row + band);
    const std::int64_t pixels = (end - row) * shape_.out_width;
    const float* grad_z = image.grad_z + row * row_size;
    if (weights_needed_) {
      depthwise_loops_.forward(shape_, image.x, taps_.data(), false, image.d, row, end);
      matrix_loops_.add_outer(grad_z, channels, image.d + row * row_size, channels, pixels,
                              channels, channels, matrix_sums);
    }
    matrix_loops_.product(grad_z, channels, pixels, channels, grad_panels_.get(), channels,
                          image.grad_d + row * row_size);
    if (weights_needed_) {
      depthwise_loops_.grad_weight(shape_, image.x, image.grad_d, tap_sums, row, end);
    }
  }
  if (!x_needed_) return;
  const auto grad_input =
      shape_.stride == 1 ? depthwise_loops_.forward : depthwise_loops_.grad_input;
  if (!image.add || shape_.channels % depthwise_loops_.lanes == 0) {
    grad_input(shape_, image.grad_d, grad_taps_.data(), image.add, image.grad_x, 0, shape_.height);
    return;
  }
  float* grad_x = scratch(kScratchSlots - 1, in_size());
  grad_input(shape_, image.grad_d, grad_taps_.data(), false, grad_x, 0, shape_.height);
  for (std::int64_t i = 0; i < in_size(); ++i) image.grad_x[i] += grad_x[i];
}

at::Tensor SeparableImages::depthwise_grad() {
  return unpack_taps(depthwise_sums_, parts_, shape_, depthwise_loops_.lanes);
}

at::Tensor SeparableImages::pointwise_grad() const {
  return unpack_matrix(pointwise_sums_, shape_.channels);
}

}  // namespace lathe::nn
