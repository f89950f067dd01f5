#include "lathe/nn/kernels/squeeze_excite.h"

#include <ATen/ATen.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "lathe/nn/kernels/channel_loops.h"
#include "lathe/nn/kernels/images.h"
#include "lathe/nn/kernels/norm/normalised_autograd.h"
#include "lathe/nn/kernels/norm/normalised_rows.h"

namespace lathe::nn {
namespace {

void check(const Normalised& x, const SqueezeExciteLayers& layers) {
  check_normalised(x, "squeeze_excite");
  const std::int64_t channels = x.z.size(1);
  const auto is = [](const at::Tensor& t, at::IntArrayRef sizes) {
    return t.defined() && t.sizes() == sizes && kernels_run(t);
  };
  const std::int64_t squeezed =
      layers.reduce_bias.defined() ? layers.reduce_bias.numel() : std::int64_t{0};
  if (!is(layers.reduce_weight, {squeezed, channels, 1, 1}) ||
      !is(layers.expand_weight, {channels, squeezed, 1, 1}) ||
      !is(layers.reduce_bias, {squeezed}) || !is(layers.expand_bias, {channels})) {
    throw std::invalid_argument(
        "[nn::squeeze_excite] layers must be [S, " + std::to_string(channels) + ", 1, 1], [S], [" +
        std::to_string(channels) + ", S, 1, 1] and [" + std::to_string(channels) + "]");
  }
}

at::Tensor matrix(const at::Tensor& weight) { return weight.select(3, 0).select(2, 0); }

/// Reads the images of x, normalised into a buffer where they are pending.
class Images {
 public:
  explicit Images(const Normalised& x)
      : norm(x), count(x.z.size(0)), channels(x.z.size(1)), rows(pixels_of(x.z)), z_(x.z) {}
  const float* read(std::int64_t image) const {
    if (!norm.pending()) return z(image);
    float* buffer = scratch(0, rows * channels);
    norm.read(z(image), rows, buffer);
    return buffer;
  }
  const float* z(std::int64_t image) const { return image_of(z_, image); }
  NormalisedRows norm;
  std::int64_t count, channels, rows;

 private:
  const at::Tensor& z_;
};

/// What the backward pass reads beside the inputs, all [N, ...].
struct Hidden {
  at::Tensor mean;      ///< [N, C]
  at::Tensor squeezed;  ///< [N, S], after ReLU
  at::Tensor gate;      ///< [N, C]
};

at::Tensor means_of(const Images& images) {
  const ChannelLoops loops = channel_loops(images.channels);
  at::Tensor means = at::empty({images.count, images.channels}, at::kFloat);
  float* to = means.data_ptr<float>();
  for_each_image(images.count, [&](std::int64_t image) {
    thread_local std::vector<double> sums;
    sums.resize(static_cast<std::size_t>(images.channels));
    loops.sum(images.read(image), images.rows, images.channels, sums.data());
    for (std::int64_t c = 0; c < images.channels; ++c) {
      to[image * images.channels + c] =
          static_cast<float>(sums[static_cast<std::size_t>(c)] / static_cast<double>(images.rows));
    }
  });
  return means;
}

std::pair<at::Tensor, Hidden> forward(const Normalised& x, const SqueezeExciteLayers& layers) {
  const Images images(x);
  const ChannelLoops loops = channel_loops(images.channels);
  Hidden hidden;
  hidden.mean = means_of(images);
  hidden.squeezed =
      at::addmm(layers.reduce_bias, hidden.mean, matrix(layers.reduce_weight).t()).relu_();
  hidden.gate = at::hardsigmoid(
      at::addmm(layers.expand_bias, hidden.squeezed, matrix(layers.expand_weight).t()));
  at::Tensor y = empty_image(x.z, images.channels, x.z.size(2), x.z.size(3));
  const float* gates = hidden.gate.data_ptr<float>();
  for_each_image(images.count, [&](std::int64_t image) {
    loops.scale(images.read(image), images.rows, images.channels, gates + image * images.channels,
                image_of(y, image));
  });
  return {y, hidden};
}

/// The gradient of the gate: the sums of grad * y over each image, [N, C].
at::Tensor gate_grad(const Images& images, const at::Tensor& grad) {
  const ChannelLoops loops = channel_loops(images.channels);
  at::Tensor sums = at::empty({grad.size(0), images.channels}, at::kFloat);
  float* to = sums.data_ptr<float>();
  for_each_image(images.count, [&](std::int64_t image) {
    thread_local std::vector<double> these;
    these.resize(static_cast<std::size_t>(images.channels));
    loops.dot(images.read(image), image_of(grad, image), images.rows, images.channels,
              these.data());
    for (std::int64_t c = 0; c < images.channels; ++c) {
      to[image * images.channels + c] = static_cast<float>(these[static_cast<std::size_t>(c)]);
    }
  });
  return sums;
}

struct Gradients {
  at::Tensor z;
  NormalisedRows::VectorGrads vectors;
  SqueezeExciteLayers layers;
};

/// z of x, and grad, must be channels-last.
Gradients backward(const Normalised& x, const SqueezeExciteLayers& layers, const Hidden& hidden,
                   const at::Tensor& grad) {
  const Images images(x);
  Gradients to;
  // The hard sigmoid has slope 1/6 where it is neither 0 nor 1.
  const at::Tensor inside = hidden.gate.gt(0).logical_and_(hidden.gate.lt(1));
  const at::Tensor grad_expand = gate_grad(images, grad).mul_(inside).mul_(1.0 / 6.0);
  const at::Tensor grad_squeezed =
      at::mm(grad_expand, matrix(layers.expand_weight)).mul_(hidden.squeezed.gt(0));
  to.layers.expand_bias = grad_expand.sum(0);
  to.layers.expand_weight = at::mm(grad_expand.t(), hidden.squeezed).unsqueeze(2).unsqueeze(3);
  to.layers.reduce_bias = grad_squeezed.sum(0);
  to.layers.reduce_weight = at::mm(grad_squeezed.t(), hidden.mean).unsqueeze(2).unsqueeze(3);
  const at::Tensor grad_mean = at::mm(grad_squeezed, matrix(layers.reduce_weight))
                                   .mul_(1.0 / static_cast<double>(images.rows))
                                   .contiguous();
  const ChannelLoops loops = channel_loops(images.channels);
  to.z = empty_image(x.z, images.channels, x.z.size(2), x.z.size(3));
  const std::int64_t parts = image_parts(images.count);
  PartSums sums(parts, images.norm.pending() ? 2 * images.channels : 0);
  const float* gates = hidden.gate.data_ptr<float>();
  const float* from_mean = grad_mean.data_ptr<float>();
  for_each_image(images.count, parts, [&](std::int64_t image, std::int64_t part) {
    const std::int64_t vector = image * images.channels;
    float* to_z = image_of(to.z, image);
    loops.scale_shift(image_of(grad, image), images.rows, images.channels, gates + vector,
                      from_mean + vector, to_z);
    if (images.norm.pending()) {
      images.norm.chain(images.z(image), to_z, images.rows, to_z, sums.part(part));
    }
  });
  if (images.norm.pending()) to.vectors = images.norm.vector_grads(sums.total());
  return to;
}

class SqueezeExcite : public torch::autograd::Function<SqueezeExcite> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& /*z*/,
                            const OptionalTensor& /*moments*/, const OptionalTensor& /*weight*/,
                            const OptionalTensor& /*bias*/, const at::Tensor& reduce_weight,
                            const at::Tensor& reduce_bias, const at::Tensor& expand_weight,
                            const at::Tensor& expand_bias, const Normalised& x) {
    const auto [y, hidden] =
        nn::forward(x, {reduce_weight, reduce_bias, expand_weight, expand_bias});
    save_normalised(*context, x,
                    {reduce_weight, reduce_bias, expand_weight, expand_bias, hidden.mean,
                     hidden.squeezed, hidden.gate});
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    if (at::GradMode::is_enabled()) {
      throw std::logic_error("[nn::squeeze_excite] gradients of gradients are not supported");
    }
    if (!grads[0].defined()) return torch::autograd::variable_list(9);
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const Gradients to =
        nn::backward(saved_normalised(*context, saved), {saved[4], saved[5], saved[6], saved[7]},
                     {saved[8], saved[9], saved[10]}, channels_last(grads[0]));
    return {to.z,
            to.vectors.moments,
            to.vectors.weight,
            to.vectors.bias,
            to.layers.reduce_weight,
            to.layers.reduce_bias,
            to.layers.expand_weight,
            to.layers.expand_bias,
            {}};
  }
};

}  // namespace

at::Tensor squeeze_excite(const Normalised& x, const SqueezeExciteLayers& layers) {
  check(x, layers);
  Normalised input = x;
  input.z = channels_last(x.z);
  if (!needs_grad(input, {layers.reduce_weight, layers.reduce_bias, layers.expand_weight,
                          layers.expand_bias})) {
    return forward(input, layers).first;
  }
  return SqueezeExcite::apply(input.z, optional(x.moments), optional(x.weight), optional(x.bias),
                              layers.reduce_weight, layers.reduce_bias, layers.expand_weight,
                              layers.expand_bias, input);
}

}  // namespace lathe::nn
