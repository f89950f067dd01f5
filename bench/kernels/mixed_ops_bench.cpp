// One edge of a net that is searched: all of its operations, mixed.
#include "lathe/nn/kernels/mixing/mixed_ops.h"

#include <cmath>
#include <utility>

#include "compare.h"

namespace lathe::bench {
namespace {

using Kind = nn::MixedOp::Kind;

struct ConvShape {
  std::int64_t kernel, dilation;
};

/// The separable and the dilated convolutions of an edge.
const std::vector<std::vector<ConvShape>> kConvs = {
    {{3, 1}, {3, 1}}, {{5, 1}, {5, 1}}, {{3, 2}}, {{5, 2}}};

/// Inputs: x, then depthwise and pointwise weights, then what operations are multiplied with.
std::vector<at::Tensor> inputs_of(std::int64_t channels, std::int64_t size) {
  std::vector<at::Tensor> in{image(16, channels, size)};
  for (const auto& convs : kConvs) {
    for (const ConvShape& conv : convs) {
      in.push_back(at::randn({channels, 1, conv.kernel, conv.kernel}) /
                   static_cast<double>(conv.kernel));
      in.push_back(at::randn({channels, channels, 1, 1}) /
                   std::sqrt(static_cast<double>(channels)));
    }
  }
  in.push_back(at::rand({3 + static_cast<std::int64_t>(kConvs.size())}));
  return in;
}

at::Tensor ours(const std::vector<at::Tensor>& in) {
  nn::MixedOps call{.inputs = {in[0]}, .weights = in.back()};
  call.ops = {{}, {.kind = Kind::kMaxPool}, {.kind = Kind::kAvgPool}};
  std::size_t next = 1;
  for (const auto& convs : kConvs) {
    nn::MixedOp op{.kind = Kind::kSeparable};
    for (const ConvShape& conv : convs) {
      op.convs.push_back({in[next], in[next + 1], {1, conv.dilation}});
      next += 2;
    }
    call.ops.push_back(std::move(op));
  }
  return nn::mixed_ops(call).y;
}

at::Tensor normalised(const at::Tensor& x) {
  return at::batch_norm(x, {}, {}, {}, {}, true, 0.1, 1e-5, true);
}

at::Tensor library(const std::vector<at::Tensor>& in) {
  const at::Tensor& x = in[0];
  std::vector<at::Tensor> terms{x, normalised(at::max_pool2d(x, 3, 1, 1)),
                                normalised(at::avg_pool2d(x, 3, 1, 1, false, false))};
  std::size_t next = 1;
  for (const auto& convs : kConvs) {
    at::Tensor y = x;
    for (const ConvShape& conv : convs) {
      y = at::conv2d(at::relu(y), in[next], {}, 1, conv.dilation * (conv.kernel / 2), conv.dilation,
                     x.size(1));
      y = normalised(at::conv2d(y, in[next + 1]));
      next += 2;
    }
    terms.push_back(y);
  }
  at::Tensor sum;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const at::Tensor term = terms[i] * in.back()[static_cast<std::int64_t>(i)];
    sum = sum.defined() ? sum + term : term;
  }
  return sum;
}

void mixed_ops(benchmark::State& state, bool by_library) {
  const std::int64_t channels = state.range(0);
  const std::int64_t size = state.range(1);
  double macs_a_pixel = 0;
  for (const auto& convs : kConvs) {
    for (const ConvShape& conv : convs) {
      macs_a_pixel += static_cast<double>(channels * (conv.kernel * conv.kernel + channels));
    }
  }
  const double pixels = 16 * static_cast<double>(size * size);
  time_step(state, by_library ? library : ours, library, inputs_of(channels, size),
            6e-9 * pixels * macs_a_pixel, 0);
}

void sizes(benchmark::internal::Benchmark* cases) {
  cases->ArgNames({"channels", "size"})
      ->Args({4, 32})
      ->Args({8, 16})
      ->Args({16, 8})
      ->Args({16, 32})
      ->Args({32, 16})
      ->Args({64, 8})
      ->Unit(benchmark::kMicrosecond)
      ->UseRealTime();
}

BENCHMARK_CAPTURE(mixed_ops, lathe, false)->Apply(sizes);
BENCHMARK_CAPTURE(mixed_ops, library, true)->Apply(sizes);

}  // namespace
}  // namespace lathe::bench
