#include "lathe/nn/kernels/convolution/pointwise_conv.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "lathe/nn/kernels/convolution/conv_weights.h"
#include "lathe/nn/kernels/images.h"
#include "lathe/nn/kernels/norm/normalised_autograd.h"
#include "lathe/nn/kernels/norm/normalised_rows.h"

namespace lathe::nn {
namespace {

/// Rows that go through all passes before the next: about so many floats of input and output, a
/// part of the second-level cache, but enough rows to make use of each panel of weights.
constexpr std::int64_t kBlockFloats = 48 * 1024;
constexpr std::int64_t kMinBlock = 96;
constexpr std::int64_t kMaxBlock = 384;
/// Rows are divided in parts whatever the number of threads, and what is summed over rows is summed
/// in each part by itself. The weight's gradient has fewer: its sums are large.
constexpr std::int64_t kPartRows = 192;
constexpr std::int64_t kMaxParts = 32;
constexpr std::int64_t kGradPartRows = 512;
constexpr std::int64_t kMaxGradParts = 8;

/// Sizes of a product of [rows, in] with [in, out].
struct Sizes {
  Sizes(const at::Tensor& x, const at::Tensor& weight)
      : in(x.size(1)), out(weight.size(0)), rows(x.numel() / in) {
    block = std::clamp(kBlockFloats / (in + out) / 24 * 24, kMinBlock, kMaxBlock);
  }
  /// Calls body(first_row, count, part) for each block, in parallel over the parts.
  template <typename Body>
  void for_each_block(std::int64_t parts, const Body& body) const {
    at::parallel_for(0, parts, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t part = begin; part < end; ++part) {
        const std::int64_t last = (part + 1) * rows / parts;
        for (std::int64_t row = part * rows / parts; row < last; row += block) {
          body(row, std::min(block, last - row), part);
        }
      }
    });
  }
  std::int64_t in, out, rows, block;
};

void check(const Normalised& x, const at::Tensor& weight, bool with_moments) {
  const std::string where = "[nn::pointwise_conv] ";
  check_normalised(x, "pointwise_conv");
  if (weight.dim() != 4 || weight.size(1) != x.z.size(1) || weight.size(2) != 1 ||
      weight.size(3) != 1 || !kernels_run(weight)) {
    throw std::invalid_argument(where + "weight must be [K, " + std::to_string(x.z.size(1)) +
                                ", 1, 1]");
  }
  if (with_moments && x.z.numel() == x.z.size(1)) {
    throw std::invalid_argument(where + "moments need more than one value a channel");
  }
}

/// z of x must be channels-last.
ConvResult forward(const Normalised& x, const at::Tensor& weight, bool with_moments) {
  const Sizes sizes(x.z, weight);
  const MatrixLoops loops = matrix_loops();
  const NormalisedRows norm(x);
  const Floats panels = pack_matrix(weight, loops, false);
  ConvResult to{empty_image(x.z, sizes.out, x.z.size(2), x.z.size(3)), {}};
  const float* from = x.z.data_ptr<float>();
  float* result = to.z.data_ptr<float>();
  const auto convolve = [&](std::int64_t row, std::int64_t count) {
    const float* a = from + row * sizes.in;
    if (norm.pending()) {
      float* buffer = scratch(0, count * sizes.in);
      norm.read(a, count, buffer);
      a = buffer;
    }
    loops.product(a, sizes.in, count, sizes.in, panels.get(), sizes.out, result + row * sizes.out);
  };
  const std::int64_t parts = std::clamp<std::int64_t>(sizes.rows / kPartRows, 1, kMaxParts);
  if (!with_moments) {
    sizes.for_each_block(
        parts, [&](std::int64_t row, std::int64_t count, std::int64_t) { convolve(row, count); });
    return to;
  }
  const std::int64_t first_rows = std::min(sizes.rows, MomentSums::kOriginRows);
  convolve(0, first_rows);
  MomentSums sums(result, first_rows, sizes.out, parts);
  sizes.for_each_block(parts, [&](std::int64_t row, std::int64_t count, std::int64_t part) {
    convolve(row, count);
    sums.add(result + row * sizes.out, count, part);
  });
  to.moments = sums.moments(sizes.rows);
  return to;
}

struct Gradients {
  at::Tensor z;
  NormalisedRows::VectorGrads vectors;
  at::Tensor weight;
};

/// z of x, and grad, must be channels-last.
Gradients backward(const Normalised& x, const at::Tensor& weight, const ConvResult& result,
                   const at::Tensor& grad, const at::Tensor& grad_moments, bool needs_grad_x,
                   bool needs_grad_weight) {
  const Sizes sizes(x.z, weight);
  const MatrixLoops loops = matrix_loops();
  const NormalisedRows norm(x);
  const MomentsGrad join(result.moments, grad_moments, sizes.rows);
  const std::int64_t parts = std::clamp<std::int64_t>(sizes.rows / kGradPartRows, 1, kMaxGradParts);
  const std::int64_t padded = loops.padded(sizes.in);
  const at::Tensor weight_sums =
      at::zeros({needs_grad_weight ? parts : 0, sizes.out, padded}, at::kFloat);
  float* to_sums = weight_sums.data_ptr<float>();
  PartSums norm_sums(parts, norm.pending() ? 2 * sizes.in : 0);
  const Floats panels = needs_grad_x ? pack_matrix(weight, loops, true) : nullptr;
  Gradients to;
  if (needs_grad_x) to.z = empty_image(x.z, sizes.in, x.z.size(2), x.z.size(3));
  const float* from = x.z.data_ptr<float>();
  const float* from_z = result.z.data_ptr<float>();
  const float* from_grad = grad.data_ptr<float>();
  float* to_x = needs_grad_x ? to.z.data_ptr<float>() : nullptr;
  // Vectors of the last columns reach into the next row, whose products are then left out; so the
  // array that is read needs some room behind its last row.
  const bool in_place = !norm.pending() && padded == sizes.in;
  sizes.for_each_block(parts, [&](std::int64_t row, std::int64_t count, std::int64_t part) {
    const std::int64_t at_in = row * sizes.in;
    const std::int64_t at_out = row * sizes.out;
    const float* g =
        join.read(from_z + at_out, from_grad + at_out, count, scratch(1, count * sizes.out));
    if (needs_grad_weight) {
      const float* b = from + at_in;
      if (!in_place) {
        float* buffer = scratch(0, count * sizes.in + loops.lanes);
        if (norm.pending()) {
          norm.read(b, count, buffer);
        } else {
          std::memcpy(buffer, b, static_cast<std::size_t>(count * sizes.in) * sizeof(float));
        }
        b = buffer;
      }
      loops.add_outer(g, sizes.out, b, sizes.in, count, sizes.out, sizes.in,
                      to_sums + part * sizes.out * padded);
    }
    if (needs_grad_x) {
      loops.product(g, sizes.out, count, sizes.out, panels.get(), sizes.in, to_x + at_in);
      if (norm.pending()) {
        norm.chain(from + at_in, to_x + at_in, count, to_x + at_in, norm_sums.part(part));
      }
    }
  });
  if (needs_grad_weight) to.weight = unpack_matrix(weight_sums, sizes.in);
  if (norm.pending() && needs_grad_x) to.vectors = norm.vector_grads(norm_sums.total());
  return to;
}

class PointwiseConv : public torch::autograd::Function<PointwiseConv> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const at::Tensor& /*z*/,
                                                const OptionalTensor& /*moments*/,
                                                const OptionalTensor& /*norm_weight*/,
                                                const OptionalTensor& /*norm_bias*/,
                                                const at::Tensor& weight, const Normalised& x,
                                                bool with_moments) {
    const ConvResult to = nn::forward(x, weight, with_moments);
    save_normalised(*context, x, {weight, to.z, to.moments});
    if (!with_moments) return {to.z};
    return {to.z, to.moments};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    if (at::GradMode::is_enabled()) {
      throw std::logic_error("[nn::pointwise_conv] gradients of gradients are not supported");
    }
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const Normalised x = saved_normalised(*context, saved);
    const ConvResult result{saved[5], saved[6]};
    const at::Tensor grad = grads[0].defined() ? channels_last(grads[0]) : at::zeros_like(result.z);
    // Only tensors that are there count as inputs.
    const bool needs_grad_weight = context->needs_input_grad(x.pending() ? 4 : 1);
    const bool needs_grad_x = context->needs_input_grad(0) || x.pending();
    const Gradients to =
        nn::backward(x, saved[4], result, grad, grads.size() > 1 ? grads[1] : at::Tensor(),
                     needs_grad_x, needs_grad_weight);
    return {to.z, to.vectors.moments, to.vectors.weight, to.vectors.bias, to.weight, {}, {}};
  }
};

}  // namespace

ConvResult pointwise_conv(const Normalised& x, const at::Tensor& weight, bool with_moments) {
  check(x, weight, with_moments);
  Normalised input = x;
  input.z = channels_last(x.z);
  if (!needs_grad(input, {weight})) return forward(input, weight, with_moments);
  const auto results = PointwiseConv::apply(input.z, optional(x.moments), optional(x.weight),
                                            optional(x.bias), weight, input, with_moments);
  return {results[0], with_moments ? results[1] : at::Tensor()};
}

}  // namespace lathe::nn
