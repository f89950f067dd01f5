#include "lathe/nn/kernels/scale_channels.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/nn/kernels/channel_loops.h"
#include "nn/kernels/gradients.h"

namespace lathe::nn {
namespace {

using lathe::testing::text_thrown;
using test::Function;
using Tensors = std::vector<at::Tensor>;

const Function kScale = [](const Tensors& in) { return scale_channels(in[0], in[1]); };
const Function kScaleOfLibrary = [](const Tensors& in) { return in[0] * in[1]; };
const Function kPool = [](const Tensors& in) { return global_avg_pool(in[0]); };
const Function kPoolOfLibrary = [](const Tensors& in) { return in[0].mean({2, 3}, true); };

at::Tensor image(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
  return at::randn({n, c, h, w}).contiguous(at::MemoryFormat::ChannelsLast);
}

TEST(ScaleChannels, EqualsTheLibraryWithGradients) {
  at::manual_seed(1);
  for (const std::int64_t channels : {1, 3, 8, 17, 40, 96, 150}) {
    for (const std::int64_t size : {1, 5, 7, 14}) {
      SCOPED_TRACE(std::to_string(channels) + " channels, size " + std::to_string(size));
      const at::Tensor x = image(5, channels, size, size + 2);
      test::expect_same(kScale, kScaleOfLibrary, {x, at::rand({5, channels, 1, 1})}, 1e-5);
      test::expect_same(kPool, kPoolOfLibrary, {x}, 1e-6);
    }
  }
}

TEST(ScaleChannels, TakesContiguousAndExpandedTensors) {
  const at::Tensor gate = at::rand({1, 20, 1, 1}).expand({3, 20, 1, 1});
  test::expect_same(kScale, kScaleOfLibrary, {at::randn({3, 20, 7, 5}), gate}, 1e-5);
  test::expect_same(kPool, kPoolOfLibrary, {at::randn({3, 20, 7, 5})}, 1e-6);
  const at::Tensor x = image(3, 20, 7, 5).requires_grad_();
  scale_channels(x, gate).sum().backward();
  EXPECT_LT(test::difference(x.grad(), gate.expand_as(x)), 1e-6);
}

TEST(ScaleChannels, MakesASqueezeAndExciteBlock) {
  const at::Tensor w = at::randn({24, 24, 1, 1}) * 0.2;
  const auto block = [](const Function& pool, const Function& scale) {
    return [=](const Tensors& in) {
      return scale({in[0], at::sigmoid(at::conv2d(pool({in[0]}), in[1]))});
    };
  };
  test::expect_same(block(kPool, kScale), block(kPoolOfLibrary, kScaleOfLibrary),
                    {image(3, 24, 9, 5), w}, 1e-5);
}

TEST(ScaleChannels, SameBitsForAnyNumberOfThreads) {
  const int threads = at::get_num_threads();
  const Tensors in = {image(9, 40, 14, 14), at::rand({9, 40, 1, 1})};
  const at::Tensor grad = at::randn_like(in[0]);
  at::set_num_threads(1);
  const auto one = test::with_gradients(kScale, in, grad);
  const at::Tensor pooled = kPool(in);
  at::set_num_threads(2);
  const auto two = test::with_gradients(kScale, in, grad);
  EXPECT_TRUE(at::equal(pooled, kPool(in)));
  at::set_num_threads(threads);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], two[i])) << i;
}

TEST(ScaleChannels, WorksWithoutGradientsAndForOtherTypes) {
  const at::Tensor x = image(2, 24, 7, 7);
  const at::Tensor gate = at::rand({2, 24, 1, 1}).requires_grad_();
  EXPECT_TRUE(at::equal(scale_channels(x.to(at::kDouble), gate.detach().to(at::kDouble)),
                        x.to(at::kDouble) * gate.detach().to(at::kDouble)));
  EXPECT_LT(test::difference(global_avg_pool(x.to(at::kDouble)), x.mean({2, 3}, true)), 1e-6);
  const c10::InferenceMode inference;
  EXPECT_TRUE(at::equal(scale_channels(x, gate), x * gate));
  EXPECT_FALSE(global_avg_pool(x).requires_grad());
}

TEST(ScaleChannels, RejectsWrongShapes) {
  const at::Tensor x = at::randn({2, 4, 7, 7});
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { scale_channels(x[0], x); }),
            "[nn::scale_channels] x must be [N, C, H, W], got 3 dimensions");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { scale_channels(x, x); }),
            "[nn::scale_channels] gate must be [2, 4, 1, 1]");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { global_avg_pool(x[0]); }),
            "[nn::global_avg_pool] x must be [N, C, H, W], got 3 dimensions");
}

TEST(ScaleChannels, RefusesGradientsOfGradients) {
  const at::Tensor x = image(2, 24, 7, 7).requires_grad_();
  const at::Tensor y = scale_channels(x, at::rand({2, 24, 1, 1}));
  EXPECT_THROW(torch::autograd::grad({y.sum()}, {x}, {}, true, true), std::logic_error);
}

TEST(ChannelLoops, AgreeForEveryInstructionSet) {
  constexpr std::int64_t kRows = 150;
  for (const Isa isa : {Isa::kGeneric, Isa::kAvx2, Isa::kAvx512}) {
    if (isa > best_isa()) continue;
    for (const std::int64_t channels : {3, 9, 21, 70}) {
      const ChannelLoops loops = channel_loops(channels, isa);
      const at::Tensor x = at::randn({kRows, channels});
      const at::Tensor grad = at::randn({kRows, channels});
      const at::Tensor gate = at::rand({channels});
      at::Tensor got = at::empty({kRows, channels});
      at::Tensor sums = at::empty({channels}, at::kDouble);
      loops.scale(x.data_ptr<float>(), kRows, channels, gate.data_ptr<float>(),
                  got.data_ptr<float>());
      EXPECT_TRUE(at::equal(got, x * gate));
      loops.sum(x.data_ptr<float>(), kRows, channels, sums.data_ptr<double>());
      EXPECT_LT(test::difference(sums, x.to(at::kDouble).sum(0)), 1e-5);
      loops.scale_backward(x.data_ptr<float>(), grad.data_ptr<float>(), kRows, channels,
                           gate.data_ptr<float>(), got.data_ptr<float>(), sums.data_ptr<double>());
      EXPECT_TRUE(at::equal(got, grad * gate));
      EXPECT_LT(test::difference(sums, (x * grad).to(at::kDouble).sum(0)), 1e-5);
    }
  }
}

}  // namespace
}  // namespace lathe::nn
