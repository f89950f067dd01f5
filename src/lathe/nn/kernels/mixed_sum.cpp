#include "lathe/nn/kernels/mixed_sum.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lathe/nn/kernels/mixed_sum_loops.h"
#include "lathe/nn/kernels/normalised_autograd.h"
#include "lathe/nn/kernels/normalised_rows.h"

namespace lathe::nn {
namespace {

/// Floats of each map that all inputs are added to before the next: what stays in the first-level
/// cache.
constexpr std::int64_t kBlockFloats = 2048;
/// Sums are kept apart for so many runs of blocks, whatever the number of threads.
constexpr std::int64_t kMaxParts = 16;
constexpr std::int64_t kPartBlocks = 8;

void check(std::span<const MixedInput> inputs, const at::Tensor& weights) {
  const std::string where = "[nn::mixed_sum] ";
  if (inputs.empty()) {
    throw std::invalid_argument(where + "needs at least one input");
  }
  const auto count = static_cast<std::int64_t>(inputs.size());
  if (weights.dim() != 1 || weights.size(0) != count) {
    throw std::invalid_argument(where + "weights must be [" + std::to_string(count) + "]");
  }
  for (const MixedInput& input : inputs) {
    if (input.z.dim() != 4 || input.z.sizes() != inputs.front().z.sizes()) {
      throw std::invalid_argument(where + "inputs must be maps [N, C, H, W] of one shape");
    }
    if (input.moments.defined() &&
        (input.moments.dim() != 2 || input.moments.size(0) != 2 ||
         input.moments.size(1) != input.z.size(1))) {
      throw std::invalid_argument(where + "moments must be [2, " + std::to_string(input.z.size(1)) +
                                  "]");
    }
  }
}

/// What both passes need of a call. Vectors are [inputs, period]: the channels' numbers repeated.
struct Coefficients {
  Coefficients(const std::vector<MixedInput>& inputs, const at::Tensor& weights)
      : loops(mixed_sum_loops()), channels(inputs.front().z.size(1)) {
    period = std::lcm(channels, static_cast<std::int64_t>(loops.lanes));
    block = std::max<std::int64_t>(1, kBlockFloats / period) * period;
    const at::Tensor dense = weights.contiguous();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const float weight = dense.data_ptr<float>()[i];
      for (std::int64_t k = 0; k < period; ++k) {
        float center = 0;
        float slope = 1;
        if (inputs[i].moments.defined()) {
          const float* moments = inputs[i].moments.data_ptr<float>();
          center = moments[k % channels];
          slope = static_cast<float>(
              1 / std::sqrt(static_cast<double>(moments[channels + k % channels]) + inputs[i].eps));
        }
        mean.push_back(center);
        invstd.push_back(slope);
        scale.push_back(weight * slope);
      }
    }
  }
  const float* of(const std::vector<float>& vectors, std::size_t input) const {
    return vectors.data() + input * static_cast<std::size_t>(period);
  }

  MixedSumLoops loops;
  std::int64_t channels;
  std::int64_t period = 0;
  std::int64_t block = 0;  ///< floats
  std::vector<float> mean, invstd, scale;
};

/// Calls body(first, count, part) for blocks of `total` floats, in parallel over the parts.
template <typename Body>
void for_each_block(std::int64_t total, std::int64_t block, std::int64_t parts, const Body& body) {
  const std::int64_t blocks = (total + block - 1) / block;
  at::parallel_for(0, parts, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = begin; part < end; ++part) {
      for (std::int64_t b = part * blocks / parts; b < (part + 1) * blocks / parts; ++b) {
        body(b * block, std::min(block, total - b * block), part);
      }
    }
  });
}

std::int64_t parts_of(std::int64_t total, std::int64_t block) {
  return std::clamp<std::int64_t>(total / (kPartBlocks * block), 1, kMaxParts);
}

/// All z must be channels-last.
at::Tensor forward(const std::vector<MixedInput>& inputs, const at::Tensor& weights) {
  const Coefficients with(inputs, weights);
  const at::Tensor& like = inputs.front().z;
  at::Tensor y = empty_image(like, with.channels, like.size(2), like.size(3));
  float* to = y.data_ptr<float>();
  const std::int64_t total = y.numel();
  for_each_block(total, with.block, parts_of(total, with.block),
                 [&](std::int64_t first, std::int64_t count, std::int64_t) {
                   for (std::size_t i = 0; i < inputs.size(); ++i) {
                     with.loops.add(inputs[i].z.data_ptr<float>() + first, count, with.period,
                                    with.of(with.mean, i), with.of(with.scale, i), i == 0,
                                    to + first);
                   }
                 });
  return y;
}

struct Gradients {
  std::vector<at::Tensor> z;        ///< undefined where not asked for
  std::vector<at::Tensor> moments;  ///< likewise
  at::Tensor weights;
};

/// The sums over rows that gradients of vectors are made of: [inputs + 1, C], of grad_y times z
/// centred and, last, of grad_y alone. Writes the gradients of z.
std::vector<double> sum_backward(const std::vector<MixedInput>& inputs, const Coefficients& with,
                                 const at::Tensor& grad, std::vector<at::Tensor>& grad_z) {
  const std::int64_t total = grad.numel();
  const std::int64_t parts = parts_of(total, with.block);
  const auto rows = static_cast<std::int64_t>(inputs.size()) + 1;
  PartSums sums(parts, rows * with.period);
  const float* from = grad.data_ptr<float>();
  for_each_block(
      total, with.block, parts, [&](std::int64_t first, std::int64_t count, std::int64_t part) {
        double* to = sums.part(part);
        for (std::size_t i = 0; i < inputs.size(); ++i, to += with.period) {
          with.loops.backward(
              inputs[i].z.data_ptr<float>() + first, from + first, count, with.period,
              with.of(with.mean, i), with.of(with.scale, i),
              grad_z[i].defined() ? grad_z[i].data_ptr<float>() + first : nullptr, to);
        }
        with.loops.sum(from + first, count, with.period, to);
      });
  const double* all = sums.total();
  std::vector<double> by_channel(static_cast<std::size_t>(rows * with.channels));
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t k = 0; k < with.period; ++k) {
      by_channel[static_cast<std::size_t>(row * with.channels + k % with.channels)] +=
          all[row * with.period + k];
    }
  }
  return by_channel;
}

/// All z, and grad, must be channels-last.
Gradients backward(const std::vector<MixedInput>& inputs, const at::Tensor& weights,
                   const at::Tensor& grad, const std::vector<bool>& needs_z) {
  const Coefficients with(inputs, weights);
  Gradients to;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    to.z.push_back(needs_z[i] ? empty_image(grad, with.channels, grad.size(2), grad.size(3))
                              : at::Tensor());
  }
  const std::vector<double> sums = sum_backward(inputs, with, grad, to.z);
  const auto channels = static_cast<std::size_t>(with.channels);
  const double* grad_sum = sums.data() + inputs.size() * channels;
  to.weights = at::empty({static_cast<std::int64_t>(inputs.size())}, at::kFloat);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const double* sum = sums.data() + i * channels;
    const float* invstd = with.of(with.invstd, i);
    const float* scale = with.of(with.scale, i);
    to.moments.emplace_back();
    float* moments = nullptr;
    if (inputs[i].moments.defined()) {
      to.moments.back() = at::empty({2, with.channels}, at::kFloat);
      moments = to.moments.back().data_ptr<float>();
    }
    double of_weight = 0;
    for (std::size_t c = 0; c < channels; ++c) {
      const double inverse = static_cast<double>(invstd[c]);
      of_weight += inverse * sum[c];
      if (moments != nullptr) {
        const double slope = static_cast<double>(scale[c]);
        moments[c] = static_cast<float>(-slope * grad_sum[c]);
        moments[channels + c] = static_cast<float>(-0.5 * slope * inverse * inverse * sum[c]);
      }
    }
    to.weights.data_ptr<float>()[i] = static_cast<float>(of_weight);
  }
  return to;
}

/// Inputs as a flat list: every z, then the moments of those that have them, then the weights.
class MixedSum : public torch::autograd::Function<MixedSum> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context,
                            at::TensorList tensors, const std::vector<MixedInput>& inputs) {
    context->save_for_backward(tensors.vec());
    std::vector<double> eps;
    for (const MixedInput& input : inputs) {
      eps.push_back(input.moments.defined() ? input.eps : -1);
    }
    context->saved_data["eps"] = eps;
    return nn::forward(inputs, tensors.back());
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    if (at::GradMode::is_enabled()) {
      throw std::logic_error("[nn::mixed_sum] gradients of gradients are not supported");
    }
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const std::vector<double> eps = context->saved_data["eps"].toDoubleVector();
    std::vector<MixedInput> inputs;
    std::vector<bool> needs_z;
    std::size_t moments = eps.size();
    for (std::size_t i = 0; i < eps.size(); ++i) {
      inputs.push_back({saved[i], eps[i] < 0 ? at::Tensor() : saved[moments++], eps[i]});
      needs_z.push_back(context->needs_input_grad(i));
    }
    Gradients to = nn::backward(inputs, saved.back(), channels_last(grads[0]), needs_z);
    torch::autograd::variable_list all = std::move(to.z);
    for (at::Tensor& tensor : to.moments) {
      if (tensor.defined()) all.push_back(std::move(tensor));
    }
    all.push_back(std::move(to.weights));
    all.emplace_back();  // of the second argument
    return all;
  }
};

bool wants_grad(const torch::autograd::variable_list& tensors) {
  return at::GradMode::is_enabled() &&
         std::any_of(tensors.begin(), tensors.end(),
                     [](const at::Tensor& tensor) { return tensor.requires_grad(); });
}

}  // namespace

at::Tensor mixed_sum_by_library(std::span<const MixedInput> inputs, const at::Tensor& weights) {
  check(inputs, weights);
  at::Tensor sum;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const MixedInput& input = inputs[i];
    at::Tensor term = input.z;
    if (input.moments.defined()) {
      const at::Tensor moments = input.moments.view({2, 1, -1, 1, 1});
      term = (term - moments[0]) * at::rsqrt(moments[1] + input.eps);
    }
    term = term * weights[static_cast<std::int64_t>(i)];
    sum = sum.defined() ? sum + term : term;
  }
  return sum;
}

at::Tensor mixed_sum(std::span<const MixedInput> inputs, const at::Tensor& weights) {
  check(inputs, weights);
  const bool runs = kernels_run(weights) &&
                    std::all_of(inputs.begin(), inputs.end(), [](const MixedInput& input) {
                      return kernels_run(input.z) &&
                             (!input.moments.defined() || kernels_run(input.moments));
                    });
  if (!runs) return mixed_sum_by_library(inputs, weights);
  std::vector<MixedInput> dense;
  for (const MixedInput& input : inputs) {
    dense.push_back({channels_last(input.z),
                     input.moments.defined() ? input.moments.contiguous() : at::Tensor(),
                     input.eps});
  }
  torch::autograd::variable_list tensors;
  for (const MixedInput& input : dense) tensors.push_back(input.z);
  for (const MixedInput& input : dense) {
    if (input.moments.defined()) tensors.push_back(input.moments);
  }
  tensors.push_back(weights);
  return wants_grad(tensors) ? MixedSum::apply(at::TensorList(tensors), dense) : forward(dense, weights);
}

}  // namespace lathe::nn
