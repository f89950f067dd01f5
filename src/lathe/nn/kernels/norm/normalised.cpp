#include "lathe/nn/kernels/norm/normalised.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "lathe/nn/kernels/images.h"
#include "lathe/nn/kernels/norm/normalised_autograd.h"
#include "lathe/nn/kernels/norm/normalised_rows.h"

namespace lathe::nn {
namespace {

/// Floats of a block of rows that a thread works on at once: a part of the second-level cache.
constexpr std::int64_t kBlockFloats = 16 * 1024;
constexpr std::int64_t kMaxParts = 32;

struct Blocks {
  explicit Blocks(const at::Tensor& z)
      : channels(z.size(1)),
        rows(z.numel() / channels),
        block(std::max<std::int64_t>(1, kBlockFloats / channels)),
        parts(std::clamp<std::int64_t>(rows / block, 1, kMaxParts)) {}
  /// Calls body(first_row, count, part) for blocks of rows, in parallel over the parts.
  template <typename Body>
  void for_each(const Body& body) const {
    at::parallel_for(0, parts, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t part = begin; part < end; ++part) {
        const std::int64_t last = (part + 1) * rows / parts;
        for (std::int64_t row = part * rows / parts; row < last; row += block) {
          body(row, std::min(block, last - row), part);
        }
      }
    });
  }
  std::int64_t channels, rows, block, parts;
};

at::Tensor forward(const Normalised& x, const at::Tensor& residual) {
  const NormalisedRows norm(x);
  const Blocks blocks(x.z);
  at::Tensor y = empty_image(x.z, x.z.size(1), x.z.size(2), x.z.size(3));
  const float* from = x.z.data_ptr<float>();
  const float* add = residual.defined() ? residual.data_ptr<float>() : nullptr;
  float* to = y.data_ptr<float>();
  blocks.for_each([&](std::int64_t row, std::int64_t count, std::int64_t) {
    const std::int64_t first = row * blocks.channels;
    norm.read(from + first, count, to + first);
    if (add != nullptr) {
      for (std::int64_t i = first; i < first + count * blocks.channels; ++i) to[i] += add[i];
    }
  });
  return y;
}

class Apply : public torch::autograd::Function<Apply> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& /*z*/,
                            const at::Tensor& /*moments*/, const at::Tensor& /*weight*/,
                            const at::Tensor& /*bias*/, const OptionalTensor& residual,
                            const Normalised& x) {
    save_normalised(*context, x, {});
    context->saved_data["residual"] = residual.has_value();
    return nn::forward(x, residual.value_or(at::Tensor()));
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    if (at::GradMode::is_enabled()) {
      throw std::logic_error("[nn::apply] gradients of gradients are not supported");
    }
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const at::Tensor& z = saved[0];
    const NormalisedRows norm(saved_normalised(*context, saved));
    if (!grads[0].defined()) return torch::autograd::variable_list(6);
    const at::Tensor grad_y = channels_last(grads[0]);
    const Blocks blocks(z);
    at::Tensor grad_z = empty_image(z, z.size(1), z.size(2), z.size(3));
    PartSums sums(blocks.parts, 2 * blocks.channels);
    const float* from = z.data_ptr<float>();
    const float* grad = grad_y.data_ptr<float>();
    float* to = grad_z.data_ptr<float>();
    blocks.for_each([&](std::int64_t row, std::int64_t count, std::int64_t part) {
      const std::int64_t first = row * blocks.channels;
      norm.chain(from + first, grad + first, count, to + first, sums.part(part));
    });
    const auto vectors = norm.vector_grads(sums.total());
    return {grad_z,
            vectors.moments,
            vectors.weight,
            vectors.bias,
            context->saved_data["residual"].toBool() ? grad_y : at::Tensor(),
            {}};
  }
};

}  // namespace

at::Tensor apply(const Normalised& x, const at::Tensor& residual) {
  check_normalised(x, "apply");
  if (residual.defined() && (residual.sizes() != x.z.sizes() || !kernels_run(residual))) {
    throw std::invalid_argument("[nn::apply] residual must be as z");
  }
  if (!x.pending()) return residual.defined() ? x.z + residual : x.z;
  const at::Tensor z = channels_last(x.z);
  const at::Tensor added = residual.defined() ? channels_last(residual) : residual;
  const Normalised input{z, x.moments, x.weight, x.bias, x.eps, x.activation};
  if (!needs_grad(input, {added})) return forward(input, added);
  return Apply::apply(z, x.moments, x.weight, x.bias, optional(added), input);
}

void update_running(const at::Tensor& moments, std::int64_t count, double momentum,
                    const at::Tensor& running_mean, const at::Tensor& running_var) {
  if (count < 2) {
    throw std::invalid_argument(
        "[nn::update_running] training needs more than one value a "
        "channel");
  }
  const std::int64_t channels = running_mean.numel();
  const float* of = moments.data_ptr<float>();
  float* mean = running_mean.data_ptr<float>();
  float* variance = running_var.data_ptr<float>();
  const double unbiased = static_cast<double>(count) / (static_cast<double>(count) - 1.0);
  const auto move = [&](float& value, double to) {
    value = static_cast<float>((1.0 - momentum) * static_cast<double>(value) + momentum * to);
  };
  for (std::int64_t c = 0; c < channels; ++c) {
    move(mean[c], static_cast<double>(of[c]));
    move(variance[c], static_cast<double>(of[channels + c]) * unbiased);
  }
}

}  // namespace lathe::nn
