#include "lathe/nn/kernels/scale_channels.h"

#include "compare.h"

namespace lathe::bench {
namespace {

void scale_channels(benchmark::State& state, bool library) {
  const Function ours = [](const std::vector<at::Tensor>& in) {
    return nn::scale_channels(in[0], in[1]);
  };
  const Function reference = [](const std::vector<at::Tensor>& in) { return in[0] * in[1]; };
  const at::Tensor x = image(64, state.range(0), state.range(1));
  time_step(state, library ? reference : ours, reference, {x, at::rand({64, state.range(0), 1, 1})},
            0, 5 * 4e-9 * static_cast<double>(x.numel()));
}

void global_avg_pool(benchmark::State& state, bool library) {
  const Function ours = [](const std::vector<at::Tensor>& in) {
    return nn::global_avg_pool(in[0]);
  };
  const Function reference = [](const std::vector<at::Tensor>& in) {
    return at::adaptive_avg_pool2d(in[0], {1, 1});
  };
  const at::Tensor x = image(64, state.range(0), state.range(1));
  time_step(state, library ? reference : ours, reference, {x}, 0,
            4e-9 * static_cast<double>(x.numel()));
}

void sizes(benchmark::internal::Benchmark* cases) {
  cases->ArgNames({"channels", "size"})
      ->ArgsProduct({{72, 240}, {28, 14, 7}})
      ->Unit(benchmark::kMicrosecond)
      ->UseRealTime();
}

BENCHMARK_CAPTURE(scale_channels, lathe, false)->Apply(sizes);
BENCHMARK_CAPTURE(scale_channels, library, true)->Apply(sizes);
BENCHMARK_CAPTURE(global_avg_pool, lathe, false)->Apply(sizes);
BENCHMARK_CAPTURE(global_avg_pool, library, true)->Apply(sizes);

}  // namespace
}  // namespace lathe::bench
