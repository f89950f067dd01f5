#include "lathe/nn/kernels/convolution/depthwise_conv.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "lathe/nn/kernels/convolution/conv_weights.h"
#include "lathe/nn/kernels/images.h"
#include "lathe/nn/kernels/norm/normalised_autograd.h"
#include "lathe/nn/kernels/norm/normalised_rows.h"

namespace lathe::nn {
namespace {

/// Bytes of activations that a band of rows may touch, so that it stays in the second-level cache
/// while the blocks of channels pass over it.
constexpr std::int64_t kBandBytes = 256 * 1024;

/// The weight's gradient is summed in as many parts as leave each so many values of the output for
/// one of its sums: with fewer, sums would be filled, read and added for more time than computed.
constexpr std::int64_t kSumsReused = 2;

void check(const at::Tensor& x, const at::Tensor& weight, DepthwiseSteps steps) {
  const std::string where = "[nn::depthwise_conv] ";
  if (x.dim() != 4) {
    throw std::invalid_argument(where + "x must be [N, C, H, W], got " + std::to_string(x.dim()) +
                                " dimensions");
  }
  if (weight.dim() != 4 || weight.size(0) != x.size(1) || weight.size(1) != 1 ||
      weight.size(2) != weight.size(3) || weight.size(2) % 2 != 1) {
    std::string sizes;
    for (const std::int64_t size : weight.sizes()) {
      sizes += (sizes.empty() ? "" : ", ") + std::to_string(size);
    }
    throw std::invalid_argument(where + "weight must be [" + std::to_string(x.size(1)) +
                                ", 1, k, k] with odd k, got [" + sizes + "]");
  }
  if (steps.stride < 1 || steps.dilation < 1) {
    throw std::invalid_argument(where + "stride and dilation must be >= 1, got " +
                                std::to_string(steps.stride) + " and " +
                                std::to_string(steps.dilation));
  }
}

bool runs_here(const at::Tensor& x, const at::Tensor& weight, DepthwiseSteps steps) {
  const auto plain = [](const at::Tensor& t) {
    return t.device().is_cpu() && t.scalar_type() == at::kFloat && t.layout() == at::kStrided;
  };
  const std::int64_t kernel = weight.size(2);
  return plain(x) && plain(weight) && x.numel() > 0 && steps.stride <= 2 && steps.dilation <= 2 &&
         kernel >= 3 && kernel <= 7;
}

DepthwiseShape shape_of(const at::Tensor& x, const at::Tensor& weight, DepthwiseSteps steps) {
  return {.channels = x.size(1),
          .height = x.size(2),
          .width = x.size(3),
          .out_height = (x.size(2) + steps.stride - 1) / steps.stride,
          .out_width = (x.size(3) + steps.stride - 1) / steps.stride,
          .kernel = static_cast<int>(weight.size(2)),
          .stride = static_cast<int>(steps.stride),
          .dilation = static_cast<int>(steps.dilation)};
}

/// Rows of the output in a band.
std::int64_t band_rows(const DepthwiseShape& s) {
  const std::int64_t row_bytes =
      (s.width * s.stride + s.out_width) * s.channels * static_cast<std::int64_t>(sizeof(float));
  return std::clamp<std::int64_t>(kBandBytes / row_bytes, 1, s.out_height);
}

/// The images of an input that may be pending, read a band of rows at a time.
class InputImage {
 public:
  /// `z` is the image; a pending one is normalised into `buffer`.
  InputImage(const NormalisedRows& norm, const float* z, std::int64_t width, float* buffer)
      : norm_(norm), z_(z), row_size_(width * norm.channels()), width_(width), buffer_(buffer) {}
  const float* data() const { return norm_.pending() ? buffer_ : z_; }
  /// Rows before `end` are needed now.
  void need(std::int64_t end) {
    if (!norm_.pending() || end <= ready_) return;
    norm_.read(z_ + ready_ * row_size_, (end - ready_) * width_, buffer_ + ready_ * row_size_);
    ready_ = end;
  }

 private:
  const NormalisedRows& norm_;
  const float* z_;
  std::int64_t row_size_;
  std::int64_t width_;
  float* buffer_;
  std::int64_t ready_ = 0;
};

/// One past the last row of the input that rows of the output before `row_end` read.
std::int64_t input_end(const DepthwiseShape& s, std::int64_t row_end) {
  return std::min(s.height, (row_end - 1) * s.stride + s.padding() + 1);
}

/// z of x must be channels-last.
ConvResult forward(const Normalised& x, const at::Tensor& weight, DepthwiseSteps steps,
                   bool with_moments) {
  const DepthwiseShape shape = shape_of(x.z, weight, steps);
  const DepthwiseLoops loops = depthwise_loops(shape);
  const NormalisedRows norm(x);
  const std::vector<float> taps = pack_taps(weight, shape, loops.lanes, false);
  ConvResult to{empty_image(x.z, shape.channels, shape.out_height, shape.out_width), {}};
  const float* from = x.z.data_ptr<float>();
  float* result = to.z.data_ptr<float>();
  const std::int64_t x_size = shape.height * shape.width * shape.channels;
  const std::int64_t z_pixels = shape.out_height * shape.out_width;
  const std::int64_t band = band_rows(shape);
  const auto convolve = [&](std::int64_t image, std::int64_t rows) {
    float* buffer = norm.pending() ? scratch(0, x_size) : nullptr;
    InputImage input(norm, from + image * x_size, shape.width, buffer);
    for (std::int64_t row = 0; row < rows; row += band) {
      const std::int64_t row_end = std::min(rows, row + band);
      input.need(input_end(shape, row_end));
      loops.forward(shape, input.data(), taps.data(), false,
                    result + image * z_pixels * shape.channels, row, row_end);
    }
  };
  const std::int64_t images = x.z.size(0);
  const std::int64_t parts = image_parts(images);
  if (!with_moments) {
    for_each_image(images, parts,
                   [&](std::int64_t image, std::int64_t) { convolve(image, shape.out_height); });
    return to;
  }
  const std::int64_t first_rows =
      std::min(shape.out_height, (MomentSums::kOriginRows + shape.out_width - 1) / shape.out_width);
  convolve(0, first_rows);
  MomentSums sums(result, std::min(first_rows * shape.out_width, MomentSums::kOriginRows),
                  shape.channels, parts);
  for_each_image(images, parts, [&](std::int64_t image, std::int64_t part) {
    convolve(image, shape.out_height);
    sums.add(result + image * z_pixels * shape.channels, z_pixels, part);
  });
  to.moments = sums.moments(images * z_pixels);
  return to;
}

struct Gradients {
  at::Tensor z;
  NormalisedRows::VectorGrads vectors;
  at::Tensor weight;
};

/// z of x, and grad, must be channels-last. All gradients are made from a band of rows while it is
/// in the cache.
Gradients backward(const Normalised& x, const at::Tensor& weight, DepthwiseSteps steps,
                   const ConvResult& result, const at::Tensor& grad, const at::Tensor& grad_moments,
                   bool needs_grad_x, bool needs_grad_weight) {
  const DepthwiseShape shape = shape_of(x.z, weight, steps);
  const std::int64_t stride = steps.stride;
  const DepthwiseLoops loops = depthwise_loops(shape);
  const NormalisedRows norm(x);
  const std::int64_t images = x.z.size(0);
  const std::int64_t x_size = shape.height * shape.width * shape.channels;
  const std::int64_t y_size = shape.out_height * shape.out_width * shape.channels;
  const MomentsGrad join(result.moments, grad_moments, images * shape.out_height * shape.out_width);
  // At stride 1 the gradient of x is itself a convolution of that of y, with the kernel turned
  // round.
  const auto grad_input = stride == 1 ? loops.forward : loops.grad_input;
  const std::vector<float> taps = pack_taps(weight, shape, loops.lanes, stride == 1);
  const std::int64_t part_size = static_cast<std::int64_t>(taps.size());
  const std::int64_t parts =
      std::clamp<std::int64_t>(images * y_size / (kSumsReused * part_size), 1, image_parts(images));
  std::vector<float> sums(needs_grad_weight ? static_cast<std::size_t>(parts * part_size) : 0);
  PartSums norm_sums(parts, norm.pending() ? 2 * shape.channels : 0);
  Gradients to;
  if (needs_grad_x) to.z = empty_image(x.z, shape.channels, shape.height, shape.width);
  const float* from_x = x.z.data_ptr<float>();
  const float* from_z = result.z.data_ptr<float>();
  const float* from_grad = grad.data_ptr<float>();
  float* to_x = needs_grad_x ? to.z.data_ptr<float>() : nullptr;
  const std::int64_t band = band_rows(shape);
  for_each_image(images, parts, [&](std::int64_t i, std::int64_t part) {
    float* buffer = norm.pending() ? scratch(0, x_size) : nullptr;
    InputImage input(norm, from_x + i * x_size, shape.width, buffer);
    const float* g = join.read(from_z + i * y_size, from_grad + i * y_size,
                               shape.out_height * shape.out_width, scratch(1, y_size));
    for (std::int64_t row = 0; row < shape.out_height; row += band) {
      const std::int64_t row_end = std::min(shape.out_height, row + band);
      if (needs_grad_weight) {
        input.need(input_end(shape, row_end));
        loops.grad_weight(shape, input.data(), g, sums.data() + part * part_size, row, row_end);
      }
      if (!needs_grad_x) continue;
      const std::int64_t begin = row * stride;
      const std::int64_t end = std::min(shape.height, row_end * stride);
      float* grad_x = to_x + i * x_size;
      grad_input(shape, g, taps.data(), false, grad_x, begin, end);
      if (norm.pending()) {
        const std::int64_t first = begin * shape.width * shape.channels;
        norm.chain(from_x + i * x_size + first, grad_x + first, (end - begin) * shape.width,
                   grad_x + first, norm_sums.part(part));
      }
    }
  });
  if (needs_grad_weight) to.weight = unpack_taps(sums, parts, shape, loops.lanes);
  if (norm.pending() && needs_grad_x) to.vectors = norm.vector_grads(norm_sums.total());
  return to;
}

class DepthwiseConv : public torch::autograd::Function<DepthwiseConv> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const at::Tensor& /*z*/,
                                                const OptionalTensor& /*moments*/,
                                                const OptionalTensor& /*norm_weight*/,
                                                const OptionalTensor& /*norm_bias*/,
                                                const at::Tensor& weight, const Normalised& x,
                                                DepthwiseSteps steps, bool with_moments) {
    const ConvResult to = nn::forward(x, weight, steps, with_moments);
    save_normalised(*context, x, {weight, to.z, to.moments});
    context->saved_data["stride"] = steps.stride;
    context->saved_data["dilation"] = steps.dilation;
    if (!with_moments) return {to.z};
    return {to.z, to.moments};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    if (at::GradMode::is_enabled()) {
      throw std::logic_error("[nn::depthwise_conv] gradients of gradients are not supported");
    }
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const Normalised x = saved_normalised(*context, saved);
    const ConvResult result{saved[5], saved[6]};
    const at::Tensor grad = grads[0].defined() ? channels_last(grads[0]) : at::zeros_like(result.z);
    const DepthwiseSteps steps{context->saved_data["stride"].toInt(),
                               context->saved_data["dilation"].toInt()};
    // Only tensors that are there count as inputs.
    const bool needs_grad_weight = context->needs_input_grad(x.pending() ? 4 : 1);
    const bool needs_grad_x = context->needs_input_grad(0) || x.pending();
    const Gradients to =
        nn::backward(x, saved[4], steps, result, grad, grads.size() > 1 ? grads[1] : at::Tensor(),
                     needs_grad_x, needs_grad_weight);
    return {to.z, to.vectors.moments, to.vectors.weight, to.vectors.bias, to.weight, {}, {}, {}};
  }
};

}  // namespace

ConvResult depthwise_conv(const Normalised& x, const at::Tensor& weight, DepthwiseSteps steps,
                          bool with_moments) {
  check(x.z, weight, steps);
  check_normalised(x, "depthwise_conv");
  if (!runs_here(x.z, weight, steps)) {
    throw std::invalid_argument(
        "[nn::depthwise_conv] needs float32 on the CPU, kernel 3, 5 or 7, and stride and "
        "dilation 1 or 2");
  }
  Normalised input = x;
  input.z = channels_last(x.z);
  if (with_moments && input.z.size(0) * input.z.size(2) * input.z.size(3) == 1) {
    throw std::invalid_argument("[nn::depthwise_conv] moments need more than one value a channel");
  }
  if (!needs_grad(input, {weight})) return forward(input, weight, steps, with_moments);
  const auto results = DepthwiseConv::apply(input.z, optional(x.moments), optional(x.weight),
                                            optional(x.bias), weight, input, steps, with_moments);
  return {results[0], with_moments ? results[1] : at::Tensor()};
}

at::Tensor depthwise_conv(const at::Tensor& x, const at::Tensor& weight, DepthwiseSteps steps) {
  check(x, weight, steps);
  if (!runs_here(x, weight, steps)) {
    const std::int64_t padding = steps.dilation * (weight.size(2) / 2);
    return at::conv2d(x, weight, {}, steps.stride, padding, steps.dilation, x.size(1));
  }
  return depthwise_conv(Normalised{x}, weight, steps, false).z;
}

}  // namespace lathe::nn
