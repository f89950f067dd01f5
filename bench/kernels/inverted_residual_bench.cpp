// A whole inverted-residual block, to see what the kernels are worth to a training step, and what
// its two 1 x 1 convolutions alone cost.
#include <cmath>

#include "compare.h"
#include "lathe/nn/kernels/convolution/depthwise_conv.h"
#include "lathe/nn/kernels/norm/batch_norm_act.h"

namespace lathe::bench {
namespace {

using graph::Activation;

enum class Whose { kLathe, kLibrary, kPointwiseOnly };

at::Tensor library_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                        Activation activation) {
  const at::Tensor mean = at::zeros({x.size(1)});
  const at::Tensor variance = at::ones({x.size(1)});
  return nn::activate(at::batch_norm(x, weight, bias, mean, variance, true, 0.1, 1e-5, true),
                      activation);
}

at::Tensor our_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                    Activation activation) {
  return nn::batch_norm_act(x, weight, bias, at::zeros({x.size(1)}), at::ones({x.size(1)}),
                            {.training = true, .activation = activation});
}

/// Inputs: x, then the three weights, then weight and bias of the three batch norms.
Function block_of(Whose whose) {
  if (whose == Whose::kPointwiseOnly) {
    return [](const std::vector<at::Tensor>& in) {
      return at::conv2d(at::conv2d(in[0], in[1]), in[2]);
    };
  }
  const bool library = whose == Whose::kLibrary;
  const auto norm = library ? library_norm : our_norm;
  return [=](const std::vector<at::Tensor>& in) {
    at::Tensor y = norm(at::conv2d(in[0], in[1]), in[4], in[5], Activation::kHSwish);
    const std::int64_t padding = in[2].size(2) / 2;
    y = library ? at::conv2d(y, in[2], {}, 1, padding, 1, in[2].size(0))
                : nn::depthwise_conv(y, in[2], {});
    y = norm(y, in[6], in[7], Activation::kHSwish);
    return in[0] + norm(at::conv2d(y, in[3]), in[8], in[9], Activation::kNone);
  };
}

void inverted_residual(benchmark::State& state, Whose whose) {
  const std::int64_t channels = state.range(0);
  const std::int64_t middle = 6 * channels;
  const std::int64_t size = state.range(1);
  const std::int64_t kernel = state.range(2);
  std::vector<at::Tensor> inputs = {
      image(64, channels, size),
      at::randn({middle, channels, 1, 1}) / std::sqrt(static_cast<double>(channels)),
      at::randn({middle, 1, kernel, kernel}) / static_cast<double>(kernel),
      at::randn({channels, middle, 1, 1}) / std::sqrt(static_cast<double>(middle))};
  for (const std::int64_t width : {middle, middle, channels}) {
    inputs.push_back(at::rand({width}) + 0.5);
    inputs.push_back(at::randn({width}));
  }
  if (whose == Whose::kPointwiseOnly) inputs = {inputs[0], inputs[1], inputs[3]};
  const bool alone = whose == Whose::kPointwiseOnly;
  time_step(state, block_of(whose), block_of(alone ? whose : Whose::kLibrary), inputs, 0, 0);
}

void sizes(benchmark::internal::Benchmark* cases) {
  cases->ArgNames({"channels", "size", "kernel"})
      ->ArgsProduct({{24}, {28}, {3, 5, 7}})
      ->ArgsProduct({{40}, {14}, {3, 5, 7}})
      ->ArgsProduct({{96}, {7}, {3, 5, 7}})
      ->Unit(benchmark::kMicrosecond)
      ->UseRealTime();
}

BENCHMARK_CAPTURE(inverted_residual, lathe, Whose::kLathe)->Apply(sizes);
BENCHMARK_CAPTURE(inverted_residual, library, Whose::kLibrary)->Apply(sizes);
BENCHMARK_CAPTURE(inverted_residual, pointwise_only, Whose::kPointwiseOnly)->Apply(sizes);

}  // namespace
}  // namespace lathe::bench
