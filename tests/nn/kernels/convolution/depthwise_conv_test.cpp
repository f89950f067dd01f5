#include "lathe/nn/kernels/convolution/depthwise_conv.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "lathe/nn/kernels/convolution/depthwise_conv_loops.h"
#include "nn/kernels/gradients.h"

namespace lathe::nn {
namespace {

using test::Function;

Function ours(std::int64_t stride, std::int64_t dilation = 1) {
  return [=](const std::vector<at::Tensor>& in) {
    return depthwise_conv(in[0], in[1], {stride, dilation});
  };
}

Function library(std::int64_t stride, std::int64_t dilation = 1) {
  return [=](const std::vector<at::Tensor>& in) {
    return at::conv2d(in[0], in[1], {}, stride, dilation * (in[1].size(2) / 2), dilation,
                      in[0].size(1));
  };
}

at::Tensor image(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
  return at::randn({n, c, h, w}).contiguous(at::MemoryFormat::ChannelsLast);
}

class DepthwiseConvTest : public testing::TestWithParam<
                              std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t>> {
};

TEST_P(DepthwiseConvTest, EqualsTheLibraryWithGradients) {
  at::manual_seed(1);
  const auto [kernel, stride, dilation, channels] = GetParam();
  const std::vector<std::pair<std::int64_t, std::int64_t>> sizes = {
      {7, 7}, {14, 14}, {9, 5}, {1, 1}, {2, 3}, {16, 23}, {28, 28}};
  for (const auto& [height, width] : sizes) {
    SCOPED_TRACE(std::to_string(height) + " x " + std::to_string(width));
    test::expect_same(ours(stride, dilation), library(stride, dilation),
                      {image(3, channels, height, width), at::randn({channels, 1, kernel, kernel})},
                      2e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(All, DepthwiseConvTest,
                         testing::Combine(testing::Values(3, 5, 7), testing::Values(1, 2),
                                          testing::Values(1, 2),
                                          testing::Values(1, 2, 3, 4, 6, 8, 16, 17, 40, 96)));

TEST(DepthwiseConv, TakesAnyBatchAndManyParts) {
  for (const std::int64_t batch : {1, 31, 33, 70}) {
    test::expect_same(ours(1), library(1), {image(batch, 24, 7, 7), at::randn({24, 1, 5, 5})},
                      5e-5);
  }
}

TEST(DepthwiseConv, TakesCroppedWeights) {
  const Function crop = [](const std::vector<at::Tensor>& in) {
    return depthwise_conv(in[0], in[1].slice(0, 0, 24).slice(2, 1, 6).slice(3, 1, 6), {1});
  };
  const Function reference = [](const std::vector<at::Tensor>& in) {
    return at::conv2d(in[0], in[1].slice(0, 0, 24).slice(2, 1, 6).slice(3, 1, 6), {}, 1, 2, 1, 24);
  };
  test::expect_same(crop, reference, {image(2, 24, 9, 9), at::randn({40, 1, 7, 7})}, 2e-5);
}

TEST(DepthwiseConv, TakesContiguousAndExpandedTensors) {
  test::expect_same(ours(2), library(2), {at::randn({2, 20, 11, 8}), at::randn({20, 1, 3, 3})},
                    2e-5);
  // The gradient of a sum is one expanded number.
  const at::Tensor x = at::randn({2, 20, 11, 8}).requires_grad_();
  const at::Tensor w = at::randn({20, 1, 5, 5}).requires_grad_();
  const auto got = torch::autograd::grad({depthwise_conv(x, w, {1}).sum()}, {x, w});
  const auto want = torch::autograd::grad({library(1)({x, w}).sum()}, {x, w});
  EXPECT_LT(test::difference(got[0], want[0]), 2e-5);
  EXPECT_LT(test::difference(got[1], want[1]), 2e-5);
}

TEST(DepthwiseConv, ReturnsChannelsLast) {
  const at::Tensor y = depthwise_conv(at::randn({2, 20, 11, 8}), at::randn({20, 1, 3, 3}), {1});
  EXPECT_TRUE(y.is_contiguous(at::MemoryFormat::ChannelsLast));
}

TEST(DepthwiseConv, GivesOnlyTheGradientsAskedFor) {
  const at::Tensor x = image(2, 20, 8, 8);
  const at::Tensor w = at::randn({20, 1, 3, 3}).requires_grad_();
  depthwise_conv(x, w, {1}).sum().backward();
  EXPECT_FALSE(x.grad().defined());
  EXPECT_TRUE(w.grad().defined());
}

TEST(DepthwiseConv, LeavesOtherTypesToTheLibrary) {
  const at::Tensor x = at::randn({2, 6, 9, 9}, at::kDouble);
  const at::Tensor w = at::randn({6, 1, 5, 5}, at::kDouble);
  EXPECT_TRUE(at::equal(depthwise_conv(x, w, {2}), library(2)({x, w})));
  const at::Tensor wide = at::randn({6, 1, 9, 9}, at::kDouble);
  EXPECT_TRUE(at::equal(depthwise_conv(x, wide, {3}), library(3)({x, wide})));
}

TEST(DepthwiseConv, GradientsAreTheSlopes) {
  at::manual_seed(2);
  const at::Tensor x = image(2, 3, 6, 5).requires_grad_();
  const at::Tensor w = at::randn({3, 1, 3, 3}).requires_grad_();
  const at::Tensor target = at::randn({2, 3, 3, 3});
  const auto loss = [&](const at::Tensor& input, const at::Tensor& weight) {
    return (depthwise_conv(input, weight, {2}) * target).sum();
  };
  const auto grads = torch::autograd::grad({loss(x, w)}, {x, w});
  const std::vector<at::Tensor> leaves = {x, w};
  const c10::NoGradGuard no_grad;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const at::Tensor direction = at::randn_like(leaves[i]);
    const auto at_step = [&](double step) {
      const at::Tensor moved = leaves[i] + step * direction;
      return (i == 0 ? loss(moved, w) : loss(x, moved)).item<double>();
    };
    const double slope = (at_step(0.1) - at_step(-0.1)) / 0.2;
    EXPECT_NEAR((grads[i] * direction).sum().item<double>(), slope, 1e-3);
  }
}

TEST(DepthwiseConv, SameBitsForAnyNumberOfThreads) {
  const int threads = at::get_num_threads();
  using Case = std::pair<std::int64_t, std::int64_t>;
  for (const auto& [channels, stride] : {Case{40, 1}, Case{40, 2}, Case{4, 1}}) {
    const std::vector<at::Tensor> inputs = {image(37, channels, 14, 14),
                                            at::randn({channels, 1, 5, 5})};
    const at::Tensor grad = at::randn_like(library(stride)(inputs));
    at::set_num_threads(1);
    const auto one = test::with_gradients(ours(stride), inputs, grad);
    at::set_num_threads(2);
    const auto two = test::with_gradients(ours(stride), inputs, grad);
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], two[i])) << i;
  }
  at::set_num_threads(threads);
}

TEST(DepthwiseConv, WorksWithoutGradients) {
  const at::Tensor x = image(2, 24, 7, 7);
  const at::Tensor w = at::randn({24, 1, 3, 3}).requires_grad_();
  const at::Tensor want = depthwise_conv(x, w, {1});
  {
    const c10::NoGradGuard no_grad;
    const at::Tensor y = depthwise_conv(x, w, {1});
    EXPECT_FALSE(y.requires_grad());
    EXPECT_TRUE(at::equal(y, want));
  }
  const c10::InferenceMode inference;
  const at::Tensor y = depthwise_conv(x, w, {1});
  EXPECT_TRUE(y.is_inference());
  EXPECT_TRUE(at::equal(y, want));
  EXPECT_TRUE(at::equal(depthwise_conv(x + 0, w, {1}), want));
}

TEST(DepthwiseConv, RefusesGradientsOfGradients) {
  const at::Tensor x = image(2, 24, 7, 7).requires_grad_();
  const at::Tensor y = depthwise_conv(x, at::randn({24, 1, 3, 3}), {1});
  EXPECT_THROW(torch::autograd::grad({y.sum()}, {x}, {}, true, true), std::logic_error);
}

template <typename Call>
void expect_invalid(const Call& call, const std::string& text) {
  try {
    call();
    FAIL() << "expected: " << text;
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(error.what(), text);
  }
}

TEST(DepthwiseConv, RejectsWrongShapes) {
  const at::Tensor x = at::randn({2, 4, 7, 7});
  const at::Tensor w = at::randn({4, 1, 3, 3});
  expect_invalid([&] { depthwise_conv(x[0], w, {1}); },
                 "[nn::depthwise_conv] x must be [N, C, H, W], got 3 dimensions");
  expect_invalid([&] { depthwise_conv(x, w.slice(0, 0, 3), {1}); },
                 "[nn::depthwise_conv] weight must be [4, 1, k, k] with odd k, got [3, 1, 3, 3]");
  expect_invalid(
      [&] {
        depthwise_conv(x, at::randn({4, 1, 4, 4}), {1});
      },
      "[nn::depthwise_conv] weight must be [4, 1, k, k] with odd k, got [4, 1, 4, 4]");
  expect_invalid([&] { depthwise_conv(x, w, {0}); },
                 "[nn::depthwise_conv] stride and dilation must be >= 1, got 0 and 1");
}

/// weight [C, 1, k, k] as the loops take it.
std::vector<float> packed(const at::Tensor& weight, int lanes) {
  const at::Tensor rows = weight.flatten(1).t().contiguous();
  std::vector<float> taps;
  for (std::int64_t begin = 0; begin < weight.size(0); begin += lanes) {
    const std::int64_t first = std::min(begin, weight.size(0) - lanes);
    const at::Tensor block = rows.slice(1, first, first + lanes).contiguous();
    taps.insert(taps.end(), block.data_ptr<float>(), block.data_ptr<float>() + block.numel());
  }
  return taps;
}

void expect_loops_agree(Isa isa, const DepthwiseShape& shape) {
  const DepthwiseLoops loops = depthwise_loops(shape, isa);
  const int kernel = shape.kernel;
  const at::Tensor x = image(1, shape.channels, shape.height, shape.width).requires_grad_();
  const at::Tensor w = at::randn({shape.channels, 1, kernel, kernel}).requires_grad_();
  const at::Tensor y = library(shape.stride, shape.dilation)({x, w});
  const at::Tensor grad = image(1, shape.channels, shape.out_height, shape.out_width);
  const auto want = torch::autograd::grad({y}, {x, w}, {grad});
  at::Tensor got = at::zeros_like(grad);
  const std::vector<float> taps = packed(w.detach(), loops.lanes);
  loops.forward(shape, x.data_ptr<float>(), taps.data(), false, got.data_ptr<float>(), 0,
                shape.out_height);
  EXPECT_LT(test::difference(got, y.detach()), 1e-5);
  if (shape.stride == 2) {
    at::Tensor grad_x = at::zeros_like(x.detach());
    loops.grad_input(shape, grad.data_ptr<float>(), taps.data(), false, grad_x.data_ptr<float>(), 0,
                     shape.height);
    EXPECT_LT(test::difference(grad_x, want[0]), 1e-5);
  }
  std::vector<float> sums(taps.size(), 0.0F);
  loops.grad_weight(shape, x.data_ptr<float>(), grad.data_ptr<float>(), sums.data(), 0,
                    shape.out_height);
  const std::vector<float> exact = packed(want[1], loops.lanes);
  for (std::size_t i = 0; i < exact.size(); ++i) EXPECT_NEAR(sums[i], exact[i], 1e-3);
}

TEST(DepthwiseLoops, AgreeForEveryInstructionSet) {
  for (const Isa isa : {Isa::kGeneric, Isa::kAvx2, Isa::kAvx512}) {
    if (isa > best_isa()) continue;
    for (const int kernel : {3, 5, 7}) {
      for (const int dilation : {1, 2}) {
        for (const std::int64_t channels : {1, 2, 3, 4, 8, 9, 21}) {
          expect_loops_agree(isa, {channels, 15, 13, 15, 13, kernel, 1, dilation});
          expect_loops_agree(isa, {channels, 15, 13, 8, 7, kernel, 2, dilation});
        }
      }
    }
  }
}

}  // namespace
}  // namespace lathe::nn
