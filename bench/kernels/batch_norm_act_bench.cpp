#include "lathe/nn/kernels/norm/batch_norm_act.h"

#include "compare.h"

namespace lathe::bench {
namespace {

using graph::Activation;

void batch_norm_act(benchmark::State& state, bool library, Activation activation) {
  const std::int64_t channels = state.range(0);
  const nn::BatchNormActOptions options{.training = true, .activation = activation};
  const at::Tensor mean = at::zeros({channels});
  const at::Tensor variance = at::ones({channels});
  const Function ours = [=](const std::vector<at::Tensor>& in) {
    return nn::batch_norm_act(in[0], in[1], in[2], mean, variance, options);
  };
  const Function reference = [=](const std::vector<at::Tensor>& in) {
    return nn::activate(at::batch_norm(in[0], in[1], in[2], mean, variance, true, options.momentum,
                                       options.eps, true),
                        activation);
  };
  const at::Tensor x = image(64, channels, state.range(1));
  // Reads x twice and writes y; then reads x and grad_y twice and writes grad_x.
  time_step(state, library ? reference : ours, reference,
            {x, at::rand({channels}) + 0.5, at::randn({channels})}, 0,
            8 * 4e-9 * static_cast<double>(x.numel()));
}

void sizes(benchmark::internal::Benchmark* cases) {
  cases->ArgNames({"channels", "size"})
      ->ArgsProduct({{24, 64, 96, 144, 240}, {28, 14, 7}})
      ->Unit(benchmark::kMicrosecond)
      ->UseRealTime();
}

BENCHMARK_CAPTURE(batch_norm_act, lathe_none, false, Activation::kNone)->Apply(sizes);
BENCHMARK_CAPTURE(batch_norm_act, library_none, true, Activation::kNone)->Apply(sizes);
BENCHMARK_CAPTURE(batch_norm_act, lathe_relu, false, Activation::kRelu)->Apply(sizes);
BENCHMARK_CAPTURE(batch_norm_act, library_relu, true, Activation::kRelu)->Apply(sizes);
BENCHMARK_CAPTURE(batch_norm_act, lathe_hswish, false, Activation::kHSwish)->Apply(sizes);
BENCHMARK_CAPTURE(batch_norm_act, library_hswish, true, Activation::kHSwish)->Apply(sizes);

}  // namespace
}  // namespace lathe::bench
