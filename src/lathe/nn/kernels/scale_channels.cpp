#include "lathe/nn/kernels/scale_channels.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lathe/nn/kernels/channel_loops.h"
#include "lathe/nn/kernels/images.h"
#include "lathe/nn/kernels/norm/normalised.h"

namespace lathe::nn {
namespace {

void check_dimensions(const at::Tensor& x, const std::string& function) {
  if (x.dim() != 4) {
    throw std::invalid_argument("[nn::" + function + "] x must be [N, C, H, W], got " +
                                std::to_string(x.dim()) + " dimensions");
  }
}

/// x must be channels-last and gate contiguous.
at::Tensor scale(const at::Tensor& x, const at::Tensor& gate) {
  const std::int64_t channels = x.size(1);
  const ChannelLoops loops = channel_loops(channels);
  at::Tensor y = empty_image(x, channels, x.size(2), x.size(3));
  const float* factors = gate.data_ptr<float>();
  for_each_image(x.size(0), [&](std::int64_t image) {
    loops.scale(image_of(x, image), pixels_of(x), channels, factors + image * channels,
                image_of(y, image));
  });
  return y;
}

/// Gradients of x and gate; x and grad_y must be channels-last and gate contiguous.
std::pair<at::Tensor, at::Tensor> scale_backward(const at::Tensor& x, const at::Tensor& gate,
                                                 const at::Tensor& grad_y) {
  const std::int64_t channels = x.size(1);
  const ChannelLoops loops = channel_loops(channels);
  at::Tensor grad_x = empty_image(x, channels, x.size(2), x.size(3));
  at::Tensor grad_gate = at::empty(gate.sizes(), gate.options());
  const float* factors = gate.data_ptr<float>();
  float* to_gate = grad_gate.data_ptr<float>();
  for_each_image(x.size(0), [&](std::int64_t image) {
    std::vector<double> sums(static_cast<std::size_t>(channels));
    loops.scale_backward(image_of(x, image), image_of(grad_y, image), pixels_of(x), channels,
                         factors + image * channels, image_of(grad_x, image), sums.data());
    for (std::int64_t c = 0; c < channels; ++c) {
      to_gate[image * channels + c] = static_cast<float>(sums[static_cast<std::size_t>(c)]);
    }
  });
  return {grad_x, grad_gate};
}

/// x must be channels-last.
at::Tensor pool(const at::Tensor& x) {
  const std::int64_t channels = x.size(1);
  const ChannelLoops loops = channel_loops(channels);
  at::Tensor means = at::empty({x.size(0), channels, 1, 1}, x.options());
  float* to = means.data_ptr<float>();
  for_each_image(x.size(0), [&](std::int64_t image) {
    std::vector<double> sums(static_cast<std::size_t>(channels));
    loops.sum(image_of(x, image), pixels_of(x), channels, sums.data());
    for (std::int64_t c = 0; c < channels; ++c) {
      to[image * channels + c] =
          static_cast<float>(sums[static_cast<std::size_t>(c)] / static_cast<double>(pixels_of(x)));
    }
  });
  return means;
}

class ScaleChannels : public torch::autograd::Function<ScaleChannels> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& gate) {
    const at::Tensor input = channels_last(x);
    const at::Tensor factors = gate.contiguous();
    context->save_for_backward({input, factors});
    return scale(input, factors);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    if (at::GradMode::is_enabled()) {
      throw std::logic_error("[nn::scale_channels] gradients of gradients are not supported");
    }
    const torch::autograd::variable_list saved = context->get_saved_variables();
    auto [grad_x, grad_gate] = scale_backward(saved[0], saved[1], channels_last(grads[0]));
    return {grad_x, grad_gate};
  }
};

class GlobalAvgPool : public torch::autograd::Function<GlobalAvgPool> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x) {
    context->saved_data["sizes"] = x.sizes().vec();
    return pool(channels_last(x));
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const std::vector<std::int64_t> sizes = context->saved_data["sizes"].toIntVector();
    const double count = static_cast<double>(sizes[2] * sizes[3]);
    return {(grads[0] / count).expand(sizes)};
  }
};

}  // namespace

at::Tensor scale_channels(const at::Tensor& x, const at::Tensor& gate) {
  check_dimensions(x, "scale_channels");
  if (gate.dim() != 4 || gate.size(0) != x.size(0) || gate.size(1) != x.size(1) ||
      gate.size(2) != 1 || gate.size(3) != 1) {
    throw std::invalid_argument("[nn::scale_channels] gate must be [" + std::to_string(x.size(0)) +
                                ", " + std::to_string(x.size(1)) + ", 1, 1]");
  }
  if (!kernels_run(x) || !kernels_run(gate)) return x * gate;
  if (at::GradMode::is_enabled() && (x.requires_grad() || gate.requires_grad())) {
    return ScaleChannels::apply(x, gate);
  }
  return scale(channels_last(x), gate.contiguous());
}

at::Tensor global_avg_pool(const at::Tensor& x) {
  check_dimensions(x, "global_avg_pool");
  if (!kernels_run(x)) return at::adaptive_avg_pool2d(x, {1, 1});
  if (at::GradMode::is_enabled() && x.requires_grad()) return GlobalAvgPool::apply(x);
  return pool(channels_last(x));
}

}  // namespace lathe::nn
