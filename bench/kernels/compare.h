// One differentiable function against another: equal first, then timed, forward and backward.
#pragma once

#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <vector>

namespace lathe::bench {

using Function = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

/// x: [batch, channels, size, size], channels-last.
inline at::Tensor image(std::int64_t batch, std::int64_t channels, std::int64_t size) {
  return at::randn({batch, channels, size, size}).contiguous(at::MemoryFormat::ChannelsLast);
}

/// Times a training step of `function` at `inputs`: the forward pass and the gradients of all
/// inputs. Skipped with an error if it does not agree with `reference`. Reports `gflop`, the
/// operations of one step in 10^9, and `gbyte`, the least memory traffic of it in 10^9, as rates.
inline void time_step(benchmark::State& state, const Function& function, const Function& reference,
                      const std::vector<at::Tensor>& inputs, double gflop, double gbyte) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& input : inputs) leaves.push_back(input.detach().requires_grad_());
  const at::Tensor grad = at::randn_like(function(leaves));
  const auto step = [&](const Function& call) {
    const at::Tensor y = call(leaves);
    std::vector<at::Tensor> all = torch::autograd::grad({y}, leaves, {grad});
    all.push_back(y.detach());
    return all;
  };
  const std::vector<at::Tensor> got = step(function);
  const std::vector<at::Tensor> want = step(reference);
  // Where an activation has a corner, rounding may put an element on its other side.
  constexpr double kTolerance = 2e-2;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if ((got[i] - want[i]).norm().item<double>() > kTolerance * want[i].norm().item<double>()) {
      state.SkipWithError("does not agree with the reference");
      return;
    }
  }
  for (auto _ : state) benchmark::DoNotOptimize(step(function));
  using benchmark::Counter;
  if (gflop > 0) state.counters["GFLOP/s"] = Counter(gflop, Counter::kIsIterationInvariantRate);
  if (gbyte > 0) state.counters["GB/s"] = Counter(gbyte, Counter::kIsIterationInvariantRate);
}

}  // namespace lathe::bench
