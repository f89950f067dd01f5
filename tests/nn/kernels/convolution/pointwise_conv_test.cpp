#include "lathe/nn/kernels/convolution/pointwise_conv.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <tuple>

#include "core/temporary_folder.h"
#include "nn/kernels/gradients.h"
#include "nn/kernels/normalised_cases.h"

namespace lathe::nn {
namespace {

using graph::Activation;
using lathe::testing::text_thrown;
using test::Function;
using test::image;
using test::Tensors;

at::Tensor weight(std::int64_t out, std::int64_t in) {
  return at::randn({out, in, 1, 1}) / std::sqrt(static_cast<double>(in));
}

/// Inputs: x and the weight.
const Function kPlain = [](const Tensors& in) {
  const ConvResult y = pointwise_conv({in[0]}, in[1], true);
  return test::joined(y.z, y.moments);
};
const Function kPlainOfLibrary = [](const Tensors& in) {
  const at::Tensor z = at::conv2d(in[0], in[1]);
  return test::joined(z, test::moments_of(z));
};

/// Inputs: those of a pending x, then the weight.
Function on_pending(Activation activation) {
  return [=](const Tensors& in) {
    const ConvResult y = pointwise_conv(test::pending(in, activation), in[4], true);
    return test::joined(y.z, y.moments);
  };
}
Function library_on_pending(Activation activation) {
  return [=](const Tensors& in) {
    const at::Tensor z = at::conv2d(test::computed(in, activation), in[4]);
    return test::joined(z, test::moments_of(z));
  };
}

class PointwiseConvTest : public ::testing::TestWithParam<std::tuple<std::int64_t, std::int64_t>> {
};

TEST_P(PointwiseConvTest, EqualsTheLibraryWithGradients) {
  at::manual_seed(1);
  const auto [in, out] = GetParam();
  for (const std::int64_t size : {1, 2, 5, 14}) {
    SCOPED_TRACE(size);
    const at::Tensor x = image(3, in, size, size + 1);
    test::expect_same(kPlain, kPlainOfLibrary, {x, weight(out, in)}, 2e-5);
    Tensors inputs = test::pending_inputs(x);
    inputs.push_back(weight(out, in));
    test::expect_same(on_pending(Activation::kHSwish), library_on_pending(Activation::kHSwish),
                      inputs, 5e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(All, PointwiseConvTest,
                         ::testing::Combine(::testing::Values(1, 3, 8, 17, 40, 96, 150),
                                            ::testing::Values(1, 5, 16, 24, 50, 72, 130)));

TEST(PointwiseConv, TakesEveryActivation) {
  for (const Activation activation :
       {Activation::kNone, Activation::kRelu, Activation::kRelu6, Activation::kHSigmoid}) {
    Tensors inputs = test::pending_inputs(image(4, 20, 6, 5));
    inputs.push_back(weight(24, 20));
    test::expect_same(on_pending(activation), library_on_pending(activation), inputs, 5e-5);
  }
}

TEST(PointwiseConv, TakesManyRowsInParts) {
  for (const std::int64_t batch : {1, 13, 40}) {
    Tensors inputs = test::pending_inputs(image(batch, 12, 16, 15));
    inputs.push_back(weight(40, 12));
    test::expect_same(on_pending(Activation::kRelu), library_on_pending(Activation::kRelu), inputs,
                      2e-4);
  }
}

TEST(PointwiseConv, TakesSlicedWeightsAndOtherLayouts) {
  const auto sliced = [](const at::Tensor& w) { return w.narrow(0, 0, 24).narrow(1, 0, 20); };
  const Function ours = [&](const Tensors& in) { return kPlain({in[0], sliced(in[1])}); };
  const Function library = [&](const Tensors& in) {
    return kPlainOfLibrary({in[0], sliced(in[1])});
  };
  test::expect_same(ours, library, {at::randn({3, 20, 7, 5}), weight(40, 30)}, 2e-5);
  const at::Tensor last = weight(40, 30).contiguous(at::MemoryFormat::ChannelsLast);
  test::expect_same(ours, library, {image(3, 20, 7, 5), last}, 2e-5);
}

TEST(PointwiseConv, MomentsOfChannelsFarFromZeroDoNotCancel) {
  const at::Tensor x = image(8, 16, 8, 8) * 0.1 + 100;
  const at::Tensor w = at::ones({3, 16, 1, 1});
  const at::Tensor got = pointwise_conv({x}, w, true).moments;
  const at::Tensor z = at::conv2d(x.to(at::kDouble), w.to(at::kDouble));
  EXPECT_LT(test::difference(got[1] / test::moments_of(z)[1], at::ones({3}, at::kDouble)), 1e-2);
}

TEST(PointwiseConv, GivesOnlyWhatIsAskedFor) {
  const at::Tensor x = image(2, 20, 4, 4);
  const at::Tensor w = weight(24, 20).requires_grad_();
  const ConvResult y = pointwise_conv({x}, w, false);
  EXPECT_FALSE(y.moments.defined());
  y.z.sum().backward();
  EXPECT_FALSE(x.grad().defined());
  EXPECT_LT(test::difference(w.grad(), x.sum({0, 2, 3}).view({1, 20, 1, 1}).expand({24, 20, 1, 1})),
            1e-4);
  // The gradient by way of the moments alone.
  const at::Tensor input = image(2, 20, 4, 4).requires_grad_();
  const auto got = torch::autograd::grad({pointwise_conv({input}, w, true).moments.sum()}, {input});
  const auto want = torch::autograd::grad({test::moments_of(at::conv2d(input, w)).sum()}, {input});
  EXPECT_LT(test::difference(got[0], want[0]), 1e-5);
}

TEST(PointwiseConv, GradientsAreTheSlopes) {
  at::manual_seed(2);
  Tensors leaves = test::pending_inputs(image(2, 3, 4, 5));
  leaves.push_back(weight(5, 3));
  for (at::Tensor& leaf : leaves) leaf.requires_grad_();
  const at::Tensor target = at::randn({2 * 5 * 4 * 5 + 10});
  const auto loss = [&](const Tensors& in) {
    return (on_pending(Activation::kNone)(in) * target).sum();
  };
  const auto grads = torch::autograd::grad({loss(leaves)}, leaves);
  const c10::NoGradGuard no_grad;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const at::Tensor direction = at::randn_like(leaves[i]);
    const auto at_step = [&](double step) {
      Tensors moved = leaves;
      moved[i] = leaves[i] + step * direction;
      return loss(moved).item<double>();
    };
    const double slope = (at_step(5e-3) - at_step(-5e-3)) / 1e-2;
    EXPECT_NEAR((grads[i] * direction).sum().item<double>(), slope, 2e-2 * (1 + std::abs(slope)))
        << i;
  }
}

TEST(PointwiseConv, SameBitsForAnyNumberOfThreads) {
  const int threads = at::get_num_threads();
  Tensors inputs = test::pending_inputs(image(37, 40, 9, 14));
  inputs.push_back(weight(72, 40));
  const Function call = on_pending(Activation::kHSwish);
  const at::Tensor grad = at::randn_like(call(inputs));
  at::set_num_threads(1);
  const auto one = test::with_gradients(call, inputs, grad);
  at::set_num_threads(2);
  const auto two = test::with_gradients(call, inputs, grad);
  at::set_num_threads(threads);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], two[i])) << i;
}

TEST(PointwiseConv, WorksWithoutGradients) {
  const at::Tensor x = image(2, 24, 7, 7);
  const at::Tensor w = weight(30, 24).requires_grad_();
  const at::Tensor want = pointwise_conv({x}, w, false).z;
  const c10::InferenceMode inference;
  const at::Tensor y = pointwise_conv({x}, w, false).z;
  EXPECT_TRUE(y.is_inference());
  EXPECT_TRUE(y.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_TRUE(at::equal(y, want));
}

TEST(PointwiseConv, RefusesGradientsOfGradients) {
  const at::Tensor x = image(2, 24, 7, 7).requires_grad_();
  const at::Tensor y = pointwise_conv({x}, weight(8, 24), false).z;
  EXPECT_THROW(torch::autograd::grad({y.sum()}, {x}, {}, true, true), std::logic_error);
}

TEST(PointwiseConv, RejectsWrongShapes) {
  const at::Tensor x = at::randn({2, 4, 7, 7});
  const at::Tensor w = weight(5, 4);
  const auto text = [](const Normalised& input, const at::Tensor& filter, bool moments) {
    return text_thrown<std::invalid_argument>([&] { pointwise_conv(input, filter, moments); });
  };
  EXPECT_EQ(text({x[0]}, w, false),
            "[nn::pointwise_conv] x must be [N, C, H, W], got 3 dimensions");
  EXPECT_EQ(text({x.to(at::kDouble)}, w, false),
            "[nn::pointwise_conv] x must be float32 on the CPU and not empty");
  EXPECT_EQ(text({x}, weight(5, 3), false), "[nn::pointwise_conv] weight must be [K, 4, 1, 1]");
  EXPECT_EQ(text({at::randn({1, 4, 1, 1})}, w, true),
            "[nn::pointwise_conv] moments need more than one value a channel");
  Tensors in = test::pending_inputs(x);
  in[1] = in[1].narrow(1, 0, 3);
  EXPECT_EQ(text(test::pending(in, Activation::kNone), w, false),
            "[nn::pointwise_conv] moments must be [2, 4]");
  in = test::pending_inputs(x);
  in[3] = in[3].narrow(0, 0, 3);
  EXPECT_EQ(text(test::pending(in, Activation::kNone), w, false),
            "[nn::pointwise_conv] weight and bias must be [4]");
}

}  // namespace
}  // namespace lathe::nn
