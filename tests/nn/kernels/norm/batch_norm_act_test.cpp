#include "lathe/nn/kernels/norm/batch_norm_act.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "lathe/nn/kernels/norm/batch_norm_act_loops.h"
#include "nn/kernels/gradients.h"

namespace lathe::nn {
namespace {

using graph::Activation;
using test::Function;

constexpr Activation kActivations[] = {Activation::kNone, Activation::kRelu, Activation::kRelu6,
                                       Activation::kHSwish, Activation::kHSigmoid};

at::Tensor image(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
  return at::randn({n, c, h, w}).contiguous(at::MemoryFormat::ChannelsLast);
}

struct Running {
  explicit Running(std::int64_t channels, at::ScalarType type = at::kFloat)
      : mean(at::linspace(-1, 1, channels).to(type)),
        variance(at::linspace(0.5, 2, channels).to(type)) {}
  at::Tensor mean;
  at::Tensor variance;
};

Function ours(const Running& running, const BatchNormActOptions& options) {
  return [=](const std::vector<at::Tensor>& in) {
    return batch_norm_act(in[0], in[1], in[2], running.mean, running.variance, options);
  };
}

Function library(const Running& running, const BatchNormActOptions& options) {
  return [=](const std::vector<at::Tensor>& in) {
    return activate(at::batch_norm(in[0], in[1], in[2], running.mean, running.variance,
                                   options.training, options.momentum, options.eps, false),
                    options.activation);
  };
}

std::vector<at::Tensor> inputs(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
  return {image(n, c, h, w) * 2 + 0.5, at::rand({c}) + 0.5, at::randn({c})};
}

class BatchNormActTest : public testing::TestWithParam<std::tuple<Activation, bool>> {};

TEST_P(BatchNormActTest, EqualsTheLibraryWithGradients) {
  at::manual_seed(1);
  const auto [activation, training] = GetParam();
  const BatchNormActOptions options{
      .training = training, .momentum = 0.1, .eps = 1e-3, .activation = activation};
  for (const std::int64_t channels : {1, 3, 8, 17, 40, 96, 150}) {
    for (const auto& [n, h, w] :
         std::vector<std::tuple<int, int, int>>{{3, 7, 7}, {64, 14, 14}, {2, 9, 5}, {2, 1, 1}}) {
      if (n * h * w == 2 && training) continue;  // the gradient vanishes: all is rounding
      SCOPED_TRACE(std::to_string(channels) + " channels, " + std::to_string(h) + " rows");
      const Running running(channels);
      const Running exact(channels, at::kDouble);
      // Both are called twice: once for the output's shape.
      test::expect_same(ours(running, options), library(exact, options), inputs(n, channels, h, w),
                        1e-4);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, BatchNormActTest,
                         testing::Combine(testing::ValuesIn(kActivations), testing::Bool()));

TEST(BatchNormAct, UpdatesTheRunningStatisticsAsTheLibraryDoes) {
  const BatchNormActOptions options{.training = true, .momentum = 0.3};
  const Running running(40);
  const Running exact(40, at::kDouble);
  for (int step = 0; step < 3; ++step) {
    const auto in = inputs(4, 40, 5, 3);
    ours(running, options)(in);
    library(exact, options)({in[0].to(at::kDouble), in[1].to(at::kDouble), in[2].to(at::kDouble)});
  }
  EXPECT_LT(test::difference(running.mean, exact.mean), 1e-6);
  EXPECT_LT(test::difference(running.variance, exact.variance), 1e-6);
}

TEST(BatchNormAct, LeavesTheRunningStatisticsWhenEvaluating) {
  const Running running(40);
  const Running before(40);
  ours(running, {})(inputs(4, 40, 5, 3));
  EXPECT_TRUE(at::equal(running.mean, before.mean));
  EXPECT_TRUE(at::equal(running.variance, before.variance));
}

TEST(BatchNormAct, TakesNarrowedVectors) {
  const BatchNormActOptions options{.training = true, .activation = Activation::kRelu};
  const Running running(40);
  const Running exact(40, at::kDouble);
  const auto narrowed = [](const Running& from, auto call) {
    return [=](const std::vector<at::Tensor>& in) {
      Running part = from;
      part.mean = from.mean.narrow(0, 5, 17);
      part.variance = from.variance.narrow(0, 5, 17);
      return call(part)({in[0], in[1].narrow(0, 3, 17), in[2].narrow(0, 3, 17)});
    };
  };
  test::expect_same(narrowed(running, [&](const Running& r) { return ours(r, options); }),
                    narrowed(exact, [&](const Running& r) { return library(r, options); }),
                    {image(3, 17, 7, 7), at::rand({40}) + 0.5, at::randn({40})}, 1e-4);
  EXPECT_EQ(running.mean[4].item<float>(), Running(40).mean[4].item<float>());
  EXPECT_EQ(running.mean[22].item<float>(), Running(40).mean[22].item<float>());
}

TEST(BatchNormAct, TakesContiguousAndExpandedTensors) {
  const BatchNormActOptions options{.training = true, .activation = Activation::kHSwish};
  test::expect_same(ours(Running(20), options), library(Running(20, at::kDouble), options),
                    {at::randn({3, 20, 7, 5}), at::rand({20}) + 0.5, at::randn({20})}, 1e-4);
  const at::Tensor x = at::randn({3, 20, 7, 5}).requires_grad_();
  const std::vector<at::Tensor> in = {x, at::rand({20}) + 0.5, at::randn({20})};
  const auto got = torch::autograd::grad({ours(Running(20), options)(in).sum()}, {x});
  const auto want = torch::autograd::grad({library(Running(20), options)(in).sum()}, {x});
  EXPECT_LT(test::difference(got[0], want[0]), 1e-5);
}

TEST(BatchNormAct, KeepsItsPrecisionFarFromZero) {
  const BatchNormActOptions options{.training = true, .activation = Activation::kNone};
  std::vector<at::Tensor> in = inputs(8, 24, 14, 14);
  in[0] = in[0] + 1000;
  // The reference sees the same rounded inputs.
  test::expect_same(ours(Running(24), options), library(Running(24, at::kDouble), options), in,
                    2e-4);
}

TEST(BatchNormAct, GradientsAreTheSlopes) {
  at::manual_seed(2);
  const BatchNormActOptions options{.training = true, .activation = Activation::kHSwish};
  auto in = inputs(3, 4, 5, 5);
  in[1] = in[1] * 0.4;  // keeps clear of the corners at -3 and 3, where there is no slope
  in[2] = in[2] * 0.4;
  const at::Tensor target = at::randn_like(in[0]);
  const Function call = ours(Running(4), options);
  const auto results = test::with_gradients(call, in, target);
  for (std::size_t i = 0; i < in.size(); ++i) {
    const at::Tensor direction = at::randn_like(in[i]);
    const auto at_step = [&](double step) {
      std::vector<at::Tensor> moved = in;
      moved[i] = in[i] + step * direction;
      return (call(moved) * target).to(at::kDouble).sum().item<double>();
    };
    const double slope = (at_step(5e-3) - at_step(-5e-3)) / 1e-2;
    EXPECT_NEAR((results[i + 1] * direction).sum().item<double>(), slope,
                1e-3 + 1e-3 * std::abs(slope));
  }
}

TEST(BatchNormAct, SameBitsForAnyNumberOfThreads) {
  const int threads = at::get_num_threads();
  const BatchNormActOptions options{.training = true, .activation = Activation::kHSwish};
  const auto in = inputs(37, 40, 14, 14);
  const at::Tensor grad = at::randn_like(in[0]);
  at::set_num_threads(1);
  const auto one = test::with_gradients(ours(Running(40), options), in, grad);
  at::set_num_threads(2);
  const auto two = test::with_gradients(ours(Running(40), options), in, grad);
  at::set_num_threads(threads);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], two[i])) << i;
}

TEST(BatchNormAct, WorksWithoutGradients) {
  const BatchNormActOptions options{.training = true, .activation = Activation::kRelu6};
  auto in = inputs(2, 24, 7, 7);
  in[1].requires_grad_();
  const at::Tensor want = ours(Running(24), options)(in);
  {
    const c10::NoGradGuard no_grad;
    const at::Tensor y = ours(Running(24), options)(in);
    EXPECT_FALSE(y.requires_grad());
    EXPECT_TRUE(at::equal(y, want));
  }
  const Running running(24);
  const c10::InferenceMode inference;
  const at::Tensor y = ours(running, options)(in);
  EXPECT_TRUE(y.is_inference());
  EXPECT_TRUE(at::equal(y, want));
  EXPECT_FALSE(at::equal(running.mean, Running(24).mean));
}

TEST(BatchNormAct, RefusesGradientsOfGradients) {
  auto in = inputs(2, 24, 7, 7);
  in[0].requires_grad_();
  const at::Tensor y = ours(Running(24), {.training = true})(in);
  EXPECT_THROW(torch::autograd::grad({y.sum()}, {in[0]}, {}, true, true), std::logic_error);
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

TEST(BatchNormAct, RejectsWrongShapes) {
  const auto in = inputs(2, 4, 7, 7);
  const Running running(4);
  expect_invalid(
      [&] {
        ours(running, {})({in[0][0], in[1], in[2]});
      },
      "[nn::batch_norm_act] x must be [N, C, H, W], got 3 dimensions");
  expect_invalid([&] { ours(Running(3), {})(in); },
                 "[nn::batch_norm_act] weight, bias and running statistics must be [4], got 3 "
                 "values");
  expect_invalid([&] { ours(running, {.training = true})(inputs(1, 4, 1, 1)); },
                 "[nn::batch_norm_act] training needs more than one value a channel");
}

TEST(BatchNormActLoops, AgreeForEveryInstructionSet) {
  constexpr std::int64_t kRows = 300;
  for (const Isa isa : {Isa::kGeneric, Isa::kAvx2, Isa::kAvx512}) {
    if (isa > best_isa()) continue;
    for (const Activation activation : kActivations) {
      for (const std::int64_t channels : {3, 9, 21, 70}) {
        const BatchNormActLoops loops = batch_norm_act_loops(channels, activation, isa);
        const at::Tensor x = (at::randn({kRows, channels}) * 3).requires_grad_();
        const at::Tensor grad = at::randn_like(x);
        const at::Tensor v = at::randn({5, channels});
        const float* data = v.data_ptr<float>();
        const at::Tensor d = x - v[0];
        const at::Tensor z = d * v[1] + v[2];
        const at::Tensor want = activate(z, activation);
        const at::Tensor grad_z = torch::autograd::grad({want}, {z}, {grad}, true)[0];
        at::Tensor got = at::empty_like(grad);
        loops.forward(x.data_ptr<float>(), kRows, channels, data, data + channels,
                      data + 2 * channels, got.data_ptr<float>());
        EXPECT_LT(test::difference(got, want.detach()), 1e-5);
        at::Tensor sums = at::empty({2, channels}, at::kDouble);
        loops.moments(x.data_ptr<float>(), kRows, channels, data, sums.data_ptr<double>());
        EXPECT_LT(test::difference(sums, at::stack({d.sum(0), (d * d).sum(0)}).detach()), 1e-5);
        loops.grad_sums(x.data_ptr<float>(), grad.data_ptr<float>(), kRows, channels, data,
                        data + channels, data + 2 * channels, sums.data_ptr<double>());
        EXPECT_LT(test::difference(sums, at::stack({grad_z.sum(0), (grad_z * d).sum(0)}).detach()),
                  1e-5);
        loops.grad_input(x.data_ptr<float>(), grad.data_ptr<float>(), kRows, channels, data,
                         data + channels, data + 2 * channels, data + 3 * channels,
                         data + 4 * channels, got.data_ptr<float>());
        EXPECT_LT(test::difference(got, (grad_z * v[1] + (d * v[3] + v[4])).detach()), 1e-5);
      }
    }
  }
}

}  // namespace
}  // namespace lathe::nn
