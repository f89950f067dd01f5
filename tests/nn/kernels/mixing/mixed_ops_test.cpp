#include "lathe/nn/kernels/mixing/mixed_ops.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "nn/kernels/gradients.h"

namespace lathe::nn {
namespace {

using lathe::testing::text_thrown;
using test::Function;
using Kind = MixedOp::Kind;
using Tensors = std::vector<at::Tensor>;

constexpr double kEps = 1e-3;

/// The operations of a cell on each of two maps: pools, separable and dilated convolutions, and the
/// map itself at stride 1.
struct Case {
  std::int64_t channels = 4;
  std::int64_t size = 8;
  std::int64_t stride = 1;
  std::int64_t parts = 1;  ///< of the channels

  std::vector<MixedOp> ops() const {
    std::vector<MixedOp> ops;
    for (std::size_t input = 0; input < 2; ++input) {
      if (stride == 1) ops.push_back({.input = input});
      for (const Kind kind : {Kind::kMaxPool, Kind::kAvgPool}) {
        ops.push_back({.kind = kind, .input = input, .stride = stride, .eps = kEps});
      }
      ops.push_back({.kind = Kind::kSeparable, .input = input, .convs = convs({1, 1})});
      ops.push_back({.kind = Kind::kSeparable, .input = input, .convs = convs({2})});
    }
    return ops;
  }
  std::vector<SeparableConv> convs(const std::vector<std::int64_t>& dilations) const {
    std::vector<SeparableConv> convs;
    for (const std::int64_t dilation : dilations) {
      convs.push_back({.steps = {convs.empty() ? stride : 1, dilation}, .eps = kEps});
    }
    return convs;
  }
  /// Two maps, weights of convolutions, weights of ops, and of what bypasses them.
  Tensors tensors() const {
    Tensors all;
    for (int i = 0; i < 2; ++i) {
      all.push_back((at::randn({3, channels * parts, size, size + 1}) + 0.3)
                        .contiguous(at::MemoryFormat::ChannelsLast));
    }
    std::int64_t kernel = 3;
    for (const MixedOp& op : ops()) {
      for (std::size_t i = 0; i < op.convs.size(); ++i, kernel = 8 - kernel) {
        all.push_back(at::randn({channels, 1, kernel, kernel}) / 3);
        all.push_back(at::randn({channels, channels, 1, 1}) / std::sqrt(channels));
      }
    }
    all.push_back(at::rand({static_cast<std::int64_t>(ops().size())}));
    if (parts > 1) all.push_back(at::rand({2}));
    return all;
  }
};

MixedOps call_of(const Case& with, const Tensors& in) {
  MixedOps call{.inputs = {in[0], in[1]}, .ops = with.ops()};
  std::size_t next = 2;
  for (MixedOp& op : call.ops) {
    for (SeparableConv& conv : op.convs) {
      conv.depthwise = in[next++];
      conv.pointwise = in[next++];
    }
  }
  call.weights = in[next++];
  if (with.parts > 1) {
    call.channel_parts = with.parts;
    call.bypassing = {0, 1};
    call.bypass_weights = in[next];
  }
  return call;
}

Function ours(const Case& with) {
  return [with](const Tensors& in) { return mixed_ops(call_of(with, in)).y; };
}

at::Tensor normalised(const at::Tensor& x) {
  const at::Tensor mean = x.mean({0, 2, 3}, true);
  return (x - mean) / ((x - mean).square().mean({0, 2, 3}, true) + kEps).sqrt();
}

at::Tensor library_op(const MixedOp& op, at::Tensor x) {
  switch (op.kind) {
    case Kind::kIdentity:
      return x;
    case Kind::kMaxPool:
      return normalised(at::max_pool2d(x, 3, op.stride, 1));
    case Kind::kAvgPool:
      return normalised(at::avg_pool2d(x, 3, op.stride, 1, false, false));
    case Kind::kSeparable:
      break;
  }
  for (const SeparableConv& conv : op.convs) {
    const std::int64_t padding = conv.steps.dilation * (conv.depthwise.size(2) / 2);
    x = at::conv2d(at::relu(x), conv.depthwise, {}, conv.steps.stride, padding, conv.steps.dilation,
                   x.size(1));
    x = normalised(at::conv2d(x, conv.pointwise));
  }
  return x;
}

/// The same by the library's operations.
Function library(const Case& with) {
  return [with](const Tensors& in) {
    const MixedOps call = call_of(with, in);
    at::Tensor sum;
    for (std::size_t i = 0; i < call.ops.size(); ++i) {
      const at::Tensor x = call.inputs[call.ops[i].input].narrow(1, 0, with.channels);
      const at::Tensor term =
          library_op(call.ops[i], x) * call.weights[static_cast<std::int64_t>(i)];
      sum = sum.defined() ? sum + term : term;
    }
    if (with.parts == 1) return sum;
    at::Tensor rest;
    for (std::size_t i = 0; i < 2; ++i) {
      at::Tensor x = call.inputs[i].slice(1, with.channels);
      if (with.stride == 2) x = at::max_pool2d(x, 2, 2);
      x = x * call.bypass_weights[static_cast<std::int64_t>(i)];
      rest = rest.defined() ? rest + x : x;
    }
    const at::Tensor all = at::cat({sum, rest}, 1);
    return all.view({all.size(0), with.parts, with.channels, all.size(2), all.size(3)})
        .transpose(1, 2)
        .reshape(all.sizes());
  };
}

TEST(MixedOps, EqualsTheLibraryWithGradients) {
  at::manual_seed(3);
  for (const std::int64_t channels : {1, 2, 3, 4, 8, 12, 16, 17, 32, 40}) {
    for (const std::int64_t size : {5, 7, 14}) {
      for (const std::int64_t stride : {1, 2}) {
        SCOPED_TRACE(std::to_string(channels) + " channels, size " + std::to_string(size) +
                     ", stride " + std::to_string(stride));
        const Case with{channels, size, stride};
        test::expect_same(ours(with), library(with), with.tensors(), 5e-5);
      }
    }
  }
}

TEST(MixedOps, EqualsTheLibraryWithChannelsThatBypass) {
  at::manual_seed(4);
  for (const std::int64_t channels : {1, 3, 4, 8, 16}) {
    for (const std::int64_t stride : {1, 2}) {
      SCOPED_TRACE(std::to_string(channels) + " channels, stride " + std::to_string(stride));
      // Odd sizes cannot be halved and match what operations make.
      Case with{channels, 7, stride, 4};
      if (stride == 2) with.size = 9;
      Tensors in = with.tensors();
      for (int i = 0; i < 2; ++i) in[i] = in[i].slice(2, 0, 6).slice(3, 0, 8);
      test::expect_same(ours(with), library(with), in, 5e-5);
    }
  }
}

TEST(MixedOps, GivesMomentsOpByOp) {
  const Case with{.channels = 4, .size = 6};
  const Tensors in = with.tensors();
  const MixedOpsResult result = mixed_ops(call_of(with, in));
  // Of each input: two pools, two convolutions, one convolution.
  ASSERT_EQ(result.moments.size(), 10U);
  const at::Tensor pooled = at::max_pool2d(in[0], 3, 1, 1);
  EXPECT_LT(test::difference(result.moments[0][0], pooled.mean({0, 2, 3})), 1e-5);
  EXPECT_LT(test::difference(result.moments[0][1], pooled.var({0, 2, 3}, false)), 1e-5);
}

TEST(MixedOps, GivesGradientsOfWhatIsAskedForAlone) {
  const Case with{.channels = 4, .size = 6, .parts = 2};
  const Tensors in = with.tensors();
  for (std::size_t wanted = 0; wanted < in.size(); ++wanted) {
    Tensors leaves = in;
    leaves[wanted] = in[wanted].detach().requires_grad_();
    const at::Tensor y = ours(with)(leaves);
    const at::Tensor grad = at::randn_like(y);
    const auto got = torch::autograd::grad({y}, {leaves[wanted]}, {grad});
    const auto want = torch::autograd::grad({library(with)(leaves)}, {leaves[wanted]}, {grad});
    EXPECT_LT(test::difference(got[0], want[0]), 2e-4) << wanted;
  }
}

TEST(MixedOps, SameBitsForAnyNumberOfThreads) {
  const int threads = at::get_num_threads();
  for (const std::int64_t parts : {1, 4}) {
    const Case with{.channels = 4, .size = 8, .parts = parts};
    const Tensors in = with.tensors();
    const at::Tensor grad = at::randn({3, 4 * parts, 8, 9});
    at::set_num_threads(1);
    const auto one = test::with_gradients(ours(with), in, grad);
    at::set_num_threads(2);
    const auto two = test::with_gradients(ours(with), in, grad);
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], two[i])) << i;
  }
  at::set_num_threads(threads);
}

TEST(MixedOps, RefusesWhatItCannotDo) {
  const Case with{.channels = 4, .size = 6};
  Tensors in = with.tensors();
  const at::Tensor x = in[0];
  in[0] = in[0].detach().requires_grad_();
  const at::Tensor y = ours(with)(in);
  EXPECT_THROW(torch::autograd::grad({y.sum()}, {in[0]}, {}, true, true), std::logic_error);
  const auto thrown = [](const MixedOps& call) {
    return text_thrown<std::invalid_argument>([&] { mixed_ops(call); });
  };
  MixedOps call{.inputs = {x}, .ops = {{}}, .weights = at::ones({2})};
  EXPECT_EQ(thrown(call), "[nn::mixed_ops] weights must be [1]");
  call.weights = at::ones({1});
  call.ops[0] = {.kind = Kind::kMaxPool, .stride = 3};
  EXPECT_EQ(thrown(call), "[nn::mixed_ops] strides must be 1 or 2");
  call.ops[0] = {.kind = Kind::kSeparable, .convs = {{at::ones({4, 1, 4, 4}), {}, {}}}};
  EXPECT_EQ(thrown(call),
            "[nn::mixed_ops] depthwise weights must be [4, 1, k, k] with k 3, 5 or 7");
}

}  // namespace
}  // namespace lathe::nn
