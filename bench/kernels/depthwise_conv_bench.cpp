#include "lathe/nn/kernels/convolution/depthwise_conv.h"

#include "compare.h"

namespace lathe::bench {
namespace {

void depthwise_conv(benchmark::State& state, bool library) {
  const std::int64_t channels = state.range(0);
  const std::int64_t size = state.range(1);
  const std::int64_t kernel = state.range(2);
  const std::int64_t stride = state.range(3);
  const std::int64_t dilation = state.range(4);
  const Function ours = [=](const std::vector<at::Tensor>& in) {
    return nn::depthwise_conv(in[0], in[1], {stride, dilation});
  };
  const Function reference = [=](const std::vector<at::Tensor>& in) {
    return at::conv2d(in[0], in[1], {}, stride, dilation * (kernel / 2), dilation, channels);
  };
  const at::Tensor x = image(64, channels, size);
  const double elements = static_cast<double>(x.numel());
  const double outputs = elements / static_cast<double>(stride * stride);
  // Reads x and writes y; then reads x and grad_y and writes grad_x.
  time_step(
      state, library ? reference : ours, reference, {x, at::randn({channels, 1, kernel, kernel})},
      6e-9 * outputs * static_cast<double>(kernel * kernel), 4e-9 * (3 * elements + 2 * outputs));
}

void sizes(benchmark::internal::Benchmark* cases) {
  cases->ArgNames({"channels", "size", "kernel", "stride", "dilation"})
      ->ArgsProduct({{64, 96, 144, 240}, {28, 14, 7}, {3, 5, 7}, {1}, {1}})
      ->ArgsProduct({{96, 240}, {28, 14}, {3, 5, 7}, {2}, {1}})
      ->ArgsProduct({{4, 16}, {32}, {3, 5}, {1}, {1, 2}})
      ->Unit(benchmark::kMicrosecond)
      ->UseRealTime();
}

BENCHMARK_CAPTURE(depthwise_conv, lathe, false)->Apply(sizes);
BENCHMARK_CAPTURE(depthwise_conv, library, true)->Apply(sizes);

}  // namespace
}  // namespace lathe::bench
