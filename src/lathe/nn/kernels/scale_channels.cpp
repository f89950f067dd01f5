#include "lathe/nn/kernels/scale_channels.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lathe/nn/kernels/channel_loops.h"
#include "lathe/nn/kernels/norm/normalised_rows.h"

namespace lathe::nn {
namespace {

bool runs_here(const at::Tensor& x) {
  return x.device().is_cpu() && x.scalar_type() == at::kFloat && x.layout() == at::kStrided &&
         x.numel() > 0;
}

void check_dimensions(const at::Tensor& x, const std::string& function) {
  if (x.dim() != 4) {
    throw std::invalid_argument("[nn::" + function + "] x must be [N, C, H, W], got " +
                                std::to_string(x.dim()) + " dimensions");
  }
}

at::Tensor empty_like_image(const at::Tensor& x) {
  return at::empty(x.sizes(), x.options().memory_format(at::MemoryFormat::ChannelsLast));
}

/// Calls `body(image, offset)` for every image of x, in parallel; `offset` is its first element.
template <typename Body>
void for_each_image(const at::Tensor& x, const Body& body) {
  const std::int64_t size = x.size(1) * x.size(2) * x.size(3);
  at::parallel_for(0, x.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t image = begin; image < end; ++image) body(image, image * size);
  });
}

/// x must be channels-last and gate contiguous.
at::Tensor scale(const at::Tensor& x, const at::Tensor& gate) {
  const std::int64_t channels = x.size(1);
  const std::int64_t rows = x.size(2) * x.size(3);
  const ChannelLoops loops = channel_loops(channels);
  at::Tensor y = empty_like_image(x);
  const float* from = x.data_ptr<float>();
  const float* factors = gate.data_ptr<float>();
  float* to = y.data_ptr<float>();
  for_each_image(x, [&](std::int64_t image, std::int64_t offset) {
    loops.scale(from + offset, rows, channels, factors + image * channels, to + offset);
  });
  return y;
}

/// Gradients of x and gate; x and grad_y must be channels-last and gate contiguous.
std::pair<at::Tensor, at::Tensor> scale_backward(const at::Tensor& x, const at::Tensor& gate,
                                                 const at::Tensor& grad_y) {
  const std::int64_t channels = x.size(1);
  const std::int64_t rows = x.size(2) * x.size(3);
  const ChannelLoops loops = channel_loops(channels);
  at::Tensor grad_x = empty_like_image(x);
  at::Tensor grad_gate = at::empty(gate.sizes(), gate.options());
  const float* from = x.data_ptr<float>();
  const float* grad = grad_y.data_ptr<float>();
  const float* factors = gate.data_ptr<float>();
  float* to = grad_x.data_ptr<float>();
  float* to_gate = grad_gate.data_ptr<float>();
  for_each_image(x, [&](std::int64_t image, std::int64_t offset) {
    std::vector<double> sums(static_cast<std::size_t>(channels));
    loops.scale_backward(from + offset, grad + offset, rows, channels, factors + image * channels,
                         to + offset, sums.data());
    for (std::int64_t c = 0; c < channels; ++c) {
      to_gate[image * channels + c] = static_cast<float>(sums[static_cast<std::size_t>(c)]);
    }
  });
  return {grad_x, grad_gate};
}

/// x must be channels-last.
at::Tensor pool(const at::Tensor& x) {
  const std::int64_t channels = x.size(1);
  const std::int64_t rows = x.size(2) * x.size(3);
  const ChannelLoops loops = channel_loops(channels);
  at::Tensor means = at::empty({x.size(0), channels, 1, 1}, x.options());
  const float* from = x.data_ptr<float>();
  float* to = means.data_ptr<float>();
  for_each_image(x, [&](std::int64_t image, std::int64_t offset) {
    std::vector<double> sums(static_cast<std::size_t>(channels));
    loops.sum(from + offset, rows, channels, sums.data());
    for (std::int64_t c = 0; c < channels; ++c) {
      to[image * channels + c] =
          static_cast<float>(sums[static_cast<std::size_t>(c)] / static_cast<double>(rows));
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
  if (!runs_here(x) || !runs_here(gate)) return x * gate;
  if (at::GradMode::is_enabled() && (x.requires_grad() || gate.requires_grad())) {
    return ScaleChannels::apply(x, gate);
  }
  return scale(channels_last(x), gate.contiguous());
}

at::Tensor global_avg_pool(const at::Tensor& x) {
  check_dimensions(x, "global_avg_pool");
  if (!runs_here(x)) return at::adaptive_avg_pool2d(x, {1, 1});
  if (at::GradMode::is_enabled() && x.requires_grad()) return GlobalAvgPool::apply(x);
  return pool(channels_last(x));
}

}  // namespace lathe::nn
