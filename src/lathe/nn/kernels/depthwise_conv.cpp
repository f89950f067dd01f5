#include "lathe/nn/kernels/depthwise_conv.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lathe/nn/kernels/depthwise_conv_loops.h"

namespace lathe::nn {
namespace {

/// Bytes of activations that a band of rows may touch, so that it stays in the second-level cache
/// while the blocks of channels pass over it.
constexpr std::int64_t kBandBytes = 256 * 1024;
/// Sums for the kernel's gradient are kept apart for this many groups of images, whatever the
/// number of threads, and then added in order.
constexpr std::int64_t kGradWeightParts = 32;

void check(const at::Tensor& x, const at::Tensor& weight, std::int64_t stride) {
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
  if (stride < 1) {
    throw std::invalid_argument(where + "stride must be >= 1, got " + std::to_string(stride));
  }
}

bool runs_here(const at::Tensor& x, const at::Tensor& weight, std::int64_t stride) {
  const auto plain = [](const at::Tensor& t) {
    return t.device().is_cpu() && t.scalar_type() == at::kFloat && t.layout() == at::kStrided;
  };
  const std::int64_t kernel = weight.size(2);
  return plain(x) && plain(weight) && x.numel() > 0 && stride <= 2 && kernel >= 3 && kernel <= 7;
}

DepthwiseShape shape_of(const at::Tensor& x, const at::Tensor& weight, std::int64_t stride) {
  return {.channels = x.size(1),
          .height = x.size(2),
          .width = x.size(3),
          .out_height = (x.size(2) + stride - 1) / stride,
          .out_width = (x.size(3) + stride - 1) / stride,
          .kernel = static_cast<int>(weight.size(2)),
          .stride = static_cast<int>(stride)};
}

std::int64_t blocks_of(const DepthwiseShape& shape, int lanes) {
  return (shape.channels + lanes - 1) / lanes;
}

/// weight: [C, 1, k, k] of any strides as [blocks, k * k, lanes], turned by 180 degrees if
/// `turned`.
std::vector<float> pack_taps(const at::Tensor& weight, const DepthwiseShape& shape, int lanes,
                             bool turned) {
  const int kernel = shape.kernel;
  const std::int64_t blocks = blocks_of(shape, lanes);
  std::vector<float> taps(static_cast<std::size_t>(blocks * kernel * kernel * lanes));
  const float* from = weight.data_ptr<float>();
  float* to = taps.data();
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::int64_t channel = std::min(block * lanes, shape.channels - lanes);
    for (int tap = 0; tap < kernel * kernel; ++tap) {
      const int source = turned ? kernel * kernel - 1 - tap : tap;
      const float* first = from + channel * weight.stride(0) + source / kernel * weight.stride(2) +
                           source % kernel * weight.stride(3);
      for (int lane = 0; lane < lanes; ++lane) *to++ = first[lane * weight.stride(0)];
    }
  }
  return taps;
}

at::Tensor channels_last(const at::Tensor& x) {
  return x.contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor empty_like_image(const at::Tensor& x, std::int64_t height, std::int64_t width) {
  return at::empty({x.size(0), x.size(1), height, width},
                   x.options().memory_format(at::MemoryFormat::ChannelsLast));
}

/// Rows of the output in a band.
std::int64_t band_rows(const DepthwiseShape& s) {
  const std::int64_t row_bytes =
      (s.width * s.stride + s.out_width) * s.channels * static_cast<std::int64_t>(sizeof(float));
  return std::clamp<std::int64_t>(kBandBytes / row_bytes, 1, s.out_height);
}

/// x must be channels-last.
at::Tensor forward(const at::Tensor& x, const at::Tensor& weight, std::int64_t stride) {
  const DepthwiseShape shape = shape_of(x, weight, stride);
  const DepthwiseLoops loops = depthwise_loops(shape);
  const std::vector<float> taps = pack_taps(weight, shape, loops.lanes, false);
  at::Tensor y = empty_like_image(x, shape.out_height, shape.out_width);
  const float* from = x.data_ptr<float>();
  float* to = y.data_ptr<float>();
  const std::int64_t band = band_rows(shape);
  const std::int64_t bands = (shape.out_height + band - 1) / band;
  at::parallel_for(0, x.size(0) * bands, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t image = item / bands;
      const std::int64_t row = item % bands * band;
      loops.forward(shape, from + image * shape.height * shape.width * shape.channels, taps.data(),
                    to + image * shape.out_height * shape.out_width * shape.channels, row,
                    std::min(shape.out_height, row + band));
    }
  });
  return y;
}

/// [C, 1, k, k] from the sums [parts, blocks, k * k, lanes].
at::Tensor unpack_grad(const std::vector<float>& sums, std::int64_t parts,
                       const DepthwiseShape& shape, int lanes, const at::TensorOptions& options) {
  const std::int64_t taps = std::int64_t{shape.kernel} * shape.kernel;
  const std::int64_t blocks = blocks_of(shape, lanes);
  at::Tensor grad = at::empty({shape.channels, 1, shape.kernel, shape.kernel}, options);
  float* to = grad.data_ptr<float>();
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::int64_t channel = std::min(block * lanes, shape.channels - lanes);
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      for (std::int64_t lane = 0; lane < lanes; ++lane) {
        const float* from = sums.data() + (block * taps + tap) * lanes + lane;
        float sum = 0;
        for (std::int64_t part = 0; part < parts; ++part) {
          sum += from[part * blocks * taps * lanes];
        }
        to[(channel + lane) * taps + tap] = sum;
      }
    }
  }
  return grad;
}

/// Gradients of x and weight, each only if needed; x and grad_y must be channels-last. Both are
/// made from a band of rows while it is in the cache.
std::pair<at::Tensor, at::Tensor> backward(const at::Tensor& grad_y, const at::Tensor& x,
                                           const at::Tensor& weight, std::int64_t stride,
                                           bool needs_grad_x, bool needs_grad_weight) {
  const DepthwiseShape shape = shape_of(x, weight, stride);
  const DepthwiseLoops loops = depthwise_loops(shape);
  // At stride 1 the gradient of x is itself a convolution of grad_y, with the kernel turned round.
  const auto grad_input = stride == 1 ? loops.forward : loops.grad_input;
  const std::vector<float> taps = pack_taps(weight, shape, loops.lanes, stride == 1);
  const std::int64_t images = x.size(0);
  const std::int64_t parts = std::min(images, kGradWeightParts);
  const std::int64_t part_size = static_cast<std::int64_t>(taps.size());
  std::vector<float> sums(needs_grad_weight ? static_cast<std::size_t>(parts * part_size) : 0);
  at::Tensor grad_x;
  if (needs_grad_x) grad_x = empty_like_image(x, shape.height, shape.width);
  const std::int64_t x_size = shape.height * shape.width * shape.channels;
  const std::int64_t y_size = shape.out_height * shape.out_width * shape.channels;
  const float* from_x = x.data_ptr<float>();
  const float* from_y = grad_y.data_ptr<float>();
  float* to_x = needs_grad_x ? grad_x.data_ptr<float>() : nullptr;
  const std::int64_t band = band_rows(shape);
  at::parallel_for(0, parts, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = begin; part < end; ++part) {
      for (std::int64_t i = part * images / parts; i < (part + 1) * images / parts; ++i) {
        for (std::int64_t row = 0; row < shape.out_height; row += band) {
          const std::int64_t row_end = std::min(shape.out_height, row + band);
          if (needs_grad_weight) {
            loops.grad_weight(shape, from_x + i * x_size, from_y + i * y_size,
                              sums.data() + part * part_size, row, row_end);
          }
          if (needs_grad_x) {
            grad_input(shape, from_y + i * y_size, taps.data(), to_x + i * x_size, row * stride,
                       std::min(shape.height, row_end * stride));
          }
        }
      }
    }
  });
  if (!needs_grad_weight) return {grad_x, at::Tensor()};
  return {grad_x, unpack_grad(sums, parts, shape, loops.lanes, x.options())};
}

class DepthwiseConv : public torch::autograd::Function<DepthwiseConv> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight, std::int64_t stride) {
    const at::Tensor input = channels_last(x);
    context->save_for_backward({input, weight});
    context->saved_data["stride"] = stride;
    return nn::forward(input, weight, stride);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    if (at::GradMode::is_enabled()) {
      throw std::logic_error("[nn::depthwise_conv] gradients of gradients are not supported");
    }
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const std::int64_t stride = context->saved_data["stride"].toInt();
    const at::Tensor grad_y = channels_last(grads[0]);
    auto [grad_x, grad_weight] =
        nn::backward(grad_y, saved[0], saved[1], stride, context->needs_input_grad(0),
                     context->needs_input_grad(1));
    return {grad_x, grad_weight, at::Tensor()};
  }
};

}  // namespace

at::Tensor depthwise_conv(const at::Tensor& x, const at::Tensor& weight, std::int64_t stride) {
  check(x, weight, stride);
  if (!runs_here(x, weight, stride)) {
    const std::int64_t padding = weight.size(2) / 2;
    return at::conv2d(x, weight, {}, stride, padding, 1, x.size(1));
  }
  if (at::GradMode::is_enabled() && (x.requires_grad() || weight.requires_grad())) {
    return DepthwiseConv::apply(x, weight, stride);
  }
  return forward(channels_last(x), weight, stride);
}

}  // namespace lathe::nn
