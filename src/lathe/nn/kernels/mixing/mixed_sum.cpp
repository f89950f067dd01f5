#include "lathe/nn/kernels/mixing/mixed_sum.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lathe/nn/kernels/images.h"
#include "lathe/nn/kernels/mixing/mixed_sum_rows.h"
#include "lathe/nn/kernels/norm/normalised_autograd.h"
#include "lathe/nn/kernels/norm/normalised_rows.h"

namespace lathe::nn {
namespace {

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
    if (input.moments.defined() && (input.moments.dim() != 2 || input.moments.size(0) != 2 ||
                                    input.moments.size(1) != input.z.size(1))) {
      throw std::invalid_argument(where + "moments must be [2, " + std::to_string(input.z.size(1)) +
                                  "]");
    }
  }
}

struct Gradients {
  std::vector<at::Tensor> z;        ///< undefined where not asked for
  std::vector<at::Tensor> moments;  ///< likewise
  at::Tensor weights;
};

/// All z, and grad, must be channels-last.
Gradients backward(const std::vector<MixedInput>& inputs, const at::Tensor& weights,
                   const at::Tensor& grad, const std::vector<bool>& needs_z) {
  const MixedSumRows with(inputs, weights);
  Gradients to;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    to.z.push_back(needs_z[i] ? empty_image(grad, with.channels(), grad.size(2), grad.size(3))
                              : at::Tensor());
  }
  const std::vector<double> sums = with.backward(inputs, grad, to.z);
  const auto channels = static_cast<std::size_t>(with.channels());
  const double* grad_sum = sums.data() + inputs.size() * channels;
  to.weights = at::empty({static_cast<std::int64_t>(inputs.size())}, at::kFloat);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const double* sum = sums.data() + i * channels;
    const float* invstd = with.invstd(i);
    const float* scale = with.scale(i);
    to.moments.emplace_back();
    float* moments = nullptr;
    if (inputs[i].moments.defined()) {
      to.moments.back() = at::empty({2, with.channels()}, at::kFloat);
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
  static at::Tensor forward(torch::autograd::AutogradContext* context, at::TensorList tensors,
                            const std::vector<MixedInput>& inputs) {
    context->save_for_backward(tensors.vec());
    std::vector<double> eps;
    for (const MixedInput& input : inputs) {
      eps.push_back(input.moments.defined() ? input.eps : -1);
    }
    context->saved_data["eps"] = eps;
    return MixedSumRows(inputs, tensors.back()).forward(inputs);
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
  const bool runs =
      kernels_run(weights) &&
      std::all_of(inputs.begin(), inputs.end(), [](const MixedInput& input) {
        return kernels_run(input.z) && (!input.moments.defined() || kernels_run(input.moments));
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
  return wants_grad(tensors) ? MixedSum::apply(at::TensorList(tensors), dense)
                             : MixedSumRows(dense, weights).forward(dense);
}

}  // namespace lathe::nn
