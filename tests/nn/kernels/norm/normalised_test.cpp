#include "lathe/nn/kernels/norm/normalised.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/nn/kernels/convolution/depthwise_conv.h"
#include "lathe/nn/kernels/squeeze_excite.h"
#include "nn/kernels/gradients.h"
#include "nn/kernels/normalised_cases.h"

namespace lathe::nn {
namespace {

using graph::Activation;
using lathe::testing::text_thrown;
using test::Function;
using test::image;
using test::Tensors;

constexpr Activation kAll[] = {Activation::kNone, Activation::kRelu, Activation::kRelu6,
                               Activation::kHSwish, Activation::kHSigmoid};

void expect_same_bits_for_any_number_of_threads(const Function& call, const Tensors& inputs) {
  const int threads = at::get_num_threads();
  const at::Tensor grad = at::randn_like(call(inputs));
  at::set_num_threads(1);
  const auto one = test::with_gradients(call, inputs, grad);
  at::set_num_threads(2);
  const auto two = test::with_gradients(call, inputs, grad);
  at::set_num_threads(threads);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], two[i])) << i;
}

/// Inputs: those of a pending x, then what is added.
Function applied(Activation activation, bool residual) {
  return [=](const Tensors& in) {
    return apply(test::pending(in, activation), residual ? in[4] : at::Tensor());
  };
}
Function computed(Activation activation, bool residual) {
  return [=](const Tensors& in) {
    const at::Tensor y = test::computed(in, activation);
    return residual ? y + in[4] : y;
  };
}

TEST(Apply, EqualsTheLibraryWithGradients) {
  at::manual_seed(1);
  for (const Activation activation : kAll) {
    for (const std::int64_t channels : {1, 8, 17, 40, 96}) {
      for (const std::int64_t size : {1, 5, 14}) {
        const at::Tensor z = image(5, channels, size, size + 2);
        Tensors inputs = test::pending_inputs(z);
        test::expect_same(applied(activation, false), computed(activation, false), inputs, 2e-5);
        inputs.push_back(at::randn_like(z));
        test::expect_same(applied(activation, true), computed(activation, true), inputs, 2e-5);
      }
    }
  }
}

TEST(Apply, TakesManyRowsOtherLayoutsAndWhatIsNotPending) {
  Tensors inputs = test::pending_inputs(image(40, 24, 16, 15));
  const at::Tensor planes = at::randn({40, 24, 16, 15});
  inputs.push_back(planes);
  test::expect_same(applied(Activation::kHSwish, true), computed(Activation::kHSwish, true), inputs,
                    1e-4);
  EXPECT_TRUE(at::equal(apply({planes}), planes));
  EXPECT_TRUE(at::equal(apply({planes}, planes), planes + planes));
}

TEST(Apply, SameBitsForAnyNumberOfThreads) {
  expect_same_bits_for_any_number_of_threads(applied(Activation::kHSwish, false),
                                             test::pending_inputs(image(37, 40, 14, 14)));
}

TEST(Apply, RejectsWrongShapesAndGradientsOfGradients) {
  Tensors in = test::pending_inputs(image(2, 4, 3, 3));
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { apply(test::pending(in, Activation::kNone), image(2, 4, 3, 2)); }),
            "[nn::apply] residual must be as z");
  in[0].requires_grad_();
  const at::Tensor y = apply(test::pending(in, Activation::kNone));
  EXPECT_THROW(torch::autograd::grad({y.sum()}, {in[0]}, {}, true, true), std::logic_error);
}

TEST(UpdateRunning, MovesTowardsTheUnbiasedEstimate) {
  const at::Tensor mean = at::full({1}, 10.0);
  const at::Tensor variance = at::full({1}, 8.0);
  update_running(at::tensor({4.0F, 5.0F}).view({2, 1}), 4, 0.25, mean, variance);
  EXPECT_NEAR(mean.item<double>(), 0.75 * 10 + 0.25 * 4, 1e-6);
  EXPECT_NEAR(variance.item<double>(), 0.75 * 8 + 0.25 * 20 / 3, 1e-6);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              update_running(at::zeros({2, 1}), 1, 0.25, mean, variance);
            }),
            "[nn::update_running] training needs more than one value a channel");
}

/// Inputs: those of a pending x, then the kernel.
Function depthwise(std::int64_t stride, Activation activation) {
  return [=](const Tensors& in) {
    const ConvResult y = depthwise_conv(test::pending(in, activation), in[4], {stride}, true);
    return test::joined(y.z, y.moments);
  };
}
Function depthwise_of_library(std::int64_t stride, Activation activation) {
  return [=](const Tensors& in) {
    const at::Tensor z = at::conv2d(test::computed(in, activation), in[4], {}, stride,
                                    in[4].size(2) / 2, 1, in[0].size(1));
    return test::joined(z, test::moments_of(z));
  };
}

TEST(DepthwiseConvOfPending, EqualsTheLibraryWithGradients) {
  at::manual_seed(1);
  for (const std::int64_t kernel : {3, 5, 7}) {
    for (const std::int64_t stride : {1, 2}) {
      for (const std::int64_t channels : {1, 8, 17, 40}) {
        for (const auto& [height, width] : {std::pair{1, 2}, {7, 7}, {9, 5}, {29, 28}}) {
          SCOPED_TRACE(std::to_string(channels) + " channels, " + std::to_string(height));
          Tensors inputs = test::pending_inputs(image(3, channels, height, width));
          inputs.push_back(at::randn({channels, 1, kernel, kernel}) / static_cast<double>(kernel));
          test::expect_same(depthwise(stride, Activation::kHSwish),
                            depthwise_of_library(stride, Activation::kHSwish), inputs, 5e-5);
        }
      }
    }
  }
}

TEST(DepthwiseConvOfPending, TakesBandsOfLargeImages) {
  Tensors inputs = test::pending_inputs(image(2, 96, 40, 41));
  inputs.push_back(at::randn({96, 1, 5, 5}) / 5);
  for (const std::int64_t stride : {1, 2}) {
    test::expect_same(depthwise(stride, Activation::kRelu),
                      depthwise_of_library(stride, Activation::kRelu), inputs, 2e-4);
  }
}

TEST(DepthwiseConvOfPending, SameBitsForAnyNumberOfThreads) {
  Tensors inputs = test::pending_inputs(image(37, 40, 14, 14));
  inputs.push_back(at::randn({40, 1, 5, 5}));
  expect_same_bits_for_any_number_of_threads(depthwise(2, Activation::kRelu), inputs);
}

TEST(DepthwiseConvOfPending, RefusesWhatDoesNotRunHere) {
  const at::Tensor x = at::randn({2, 6, 9, 9});
  const auto text = [](const at::Tensor& input, const at::Tensor& w, bool moments) {
    return text_thrown<std::invalid_argument>(
        [&] { depthwise_conv(Normalised{input}, w, {}, moments); });
  };
  EXPECT_EQ(text(x, at::randn({6, 1, 9, 9}), false),
            "[nn::depthwise_conv] needs float32 on the CPU, kernel 3, 5 or 7, and stride and "
            "dilation 1 or 2");
  EXPECT_EQ(text(at::randn({1, 6, 1, 1}), at::randn({6, 1, 3, 3}), true),
            "[nn::depthwise_conv] moments need more than one value a channel");
}

/// Inputs: those of a pending x, then the two layers' weights and biases.
Function squeeze(Activation activation) {
  return [=](const Tensors& in) {
    return squeeze_excite(test::pending(in, activation), {in[4], in[5], in[6], in[7]});
  };
}
Function squeeze_of_library(Activation activation) {
  return [=](const Tensors& in) {
    const at::Tensor y = test::computed(in, activation);
    const at::Tensor small = at::relu(at::conv2d(y.mean({2, 3}, true), in[4], in[5]));
    return y * at::hardsigmoid(at::conv2d(small, in[6], in[7]));
  };
}
Tensors squeeze_inputs(const at::Tensor& z, std::int64_t squeezed) {
  Tensors inputs = test::pending_inputs(z);
  inputs.push_back(at::randn({squeezed, z.size(1), 1, 1}));
  inputs.push_back(at::randn({squeezed}));
  inputs.push_back(at::randn({z.size(1), squeezed, 1, 1}));
  inputs.push_back(at::randn({z.size(1)}));
  return inputs;
}

TEST(SqueezeExcite, EqualsTheLibraryWithGradients) {
  at::manual_seed(1);
  for (const Activation activation : kAll) {
    for (const std::int64_t channels : {3, 8, 17, 40}) {
      for (const std::int64_t size : {1, 5, 14}) {
        test::expect_same(squeeze(activation), squeeze_of_library(activation),
                          squeeze_inputs(image(5, channels, size, size + 2), 8), 5e-5);
      }
    }
  }
}

TEST(SqueezeExcite, TakesWhatIsNotPendingAndSlicedLayers) {
  const auto layers = [](const Tensors& in) {
    return SqueezeExciteLayers{in[1].narrow(0, 0, 4).narrow(1, 0, 20), in[2].narrow(0, 0, 4),
                               in[3].narrow(0, 0, 20).narrow(1, 0, 4), in[4].narrow(0, 0, 20)};
  };
  const Function ours = [&](const Tensors& in) { return squeeze_excite({in[0]}, layers(in)); };
  const Function library = [&](const Tensors& in) {
    const SqueezeExciteLayers l = layers(in);
    const at::Tensor small =
        at::relu(at::conv2d(in[0].mean({2, 3}, true), l.reduce_weight, l.reduce_bias));
    return in[0] * at::hardsigmoid(at::conv2d(small, l.expand_weight, l.expand_bias));
  };
  test::expect_same(ours, library,
                    {at::randn({3, 20, 7, 5}), at::randn({8, 24, 1, 1}), at::randn({8}),
                     at::randn({24, 8, 1, 1}), at::randn({24})},
                    2e-5);
}

TEST(SqueezeExcite, SameBitsForAnyNumberOfThreads) {
  expect_same_bits_for_any_number_of_threads(squeeze(Activation::kHSwish),
                                             squeeze_inputs(image(37, 40, 14, 14), 8));
}

TEST(SqueezeExcite, RejectsWrongShapesAndGradientsOfGradients) {
  Tensors in = squeeze_inputs(image(2, 4, 3, 3), 8);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              squeeze_excite({in[0]}, {in[4], in[5], in[6], in[7].narrow(0, 0, 3)});
            }),
            "[nn::squeeze_excite] layers must be [S, 4, 1, 1], [S], [4, S, 1, 1] and [4]");
  in[0].requires_grad_();
  const at::Tensor y = squeeze(Activation::kRelu)(in);
  EXPECT_THROW(torch::autograd::grad({y.sum()}, {in[0]}, {}, true, true), std::logic_error);
}

}  // namespace
}  // namespace lathe::nn
