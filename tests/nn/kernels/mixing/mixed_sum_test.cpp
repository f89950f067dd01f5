#include "lathe/nn/kernels/mixing/mixed_sum.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "nn/kernels/gradients.h"

namespace lathe::nn {
namespace {

using lathe::testing::text_thrown;
using test::Function;
using Tensors = std::vector<at::Tensor>;

constexpr double kEps = 1e-3;

/// The sum of tensors: so many maps, the moments of every second one, and the weights.
Function mixed(std::size_t maps) {
  return [maps](const Tensors& in) {
    std::vector<MixedInput> inputs;
    std::size_t moments = maps;
    for (std::size_t i = 0; i < maps; ++i) {
      inputs.push_back({in[i], i % 2 == 1 ? in[moments++] : at::Tensor(), kEps});
    }
    return mixed_sum(inputs, in.back());
  };
}

/// The same by the definition.
Function reference(std::size_t maps) {
  return [maps](const Tensors& in) {
    at::Tensor sum = at::zeros_like(in[0]);
    std::size_t moments = maps;
    for (std::size_t i = 0; i < maps; ++i) {
      at::Tensor x = in[i];
      if (i % 2 == 1) {
        const at::Tensor& m = in[moments++];
        x = (x - m[0].view({1, -1, 1, 1})) / (m[1].view({1, -1, 1, 1}) + kEps).sqrt();
      }
      sum = sum + x * in.back()[static_cast<std::int64_t>(i)];
    }
    return sum;
  };
}

Tensors tensors(std::size_t maps, std::int64_t channels, std::int64_t size) {
  Tensors in;
  for (std::size_t i = 0; i < maps; ++i) {
    in.push_back((at::randn({3, channels, size, size + 1}) + 0.5)
                     .contiguous(at::MemoryFormat::ChannelsLast));
  }
  for (std::size_t i = 1; i < maps; i += 2) {
    in.push_back(at::stack({at::randn({channels}), at::rand({channels}) + 0.2}));
  }
  in.push_back(at::rand({static_cast<std::int64_t>(maps)}));
  return in;
}

TEST(MixedSum, EqualsTheDefinitionWithGradients) {
  for (const std::int64_t channels : {1, 2, 3, 4, 8, 12, 16, 17, 40, 64}) {
    for (const std::size_t maps : {1, 2, 7}) {
      for (const std::int64_t size : {1, 7, 14}) {
        SCOPED_TRACE(std::to_string(channels) + " channels, " + std::to_string(maps) + " maps of " +
                     std::to_string(size));
        test::expect_same(mixed(maps), reference(maps), tensors(maps, channels, size), 2e-5);
      }
    }
  }
}

TEST(MixedSum, GivesGradientsOfWhatIsAskedForAlone) {
  const Tensors in = tensors(4, 8, 7);
  for (std::size_t wanted = 0; wanted < in.size(); ++wanted) {
    Tensors leaves = in;
    leaves[wanted] = in[wanted].detach().requires_grad_();
    const at::Tensor grad = at::randn_like(in[0]);
    const auto got = torch::autograd::grad({mixed(4)(leaves)}, {leaves[wanted]}, {grad});
    const auto want = torch::autograd::grad({reference(4)(leaves)}, {leaves[wanted]}, {grad});
    EXPECT_LT(test::difference(got[0], want[0]), 2e-5) << wanted;
  }
}

TEST(MixedSum, TakesContiguousMapsAndOtherTypes) {
  Tensors in = tensors(3, 20, 7);
  in[0] = in[0].contiguous();
  test::expect_same(mixed(3), reference(3), in, 2e-5);
  for (at::Tensor& tensor : in) tensor = tensor.to(at::kDouble);
  test::expect_same(mixed(3), reference(3), in, 1e-12);
}

TEST(MixedSum, SameBitsForAnyNumberOfThreads) {
  const int threads = at::get_num_threads();
  const Tensors in = tensors(5, 12, 40);
  const at::Tensor grad = at::randn_like(in[0]);
  at::set_num_threads(1);
  const auto one = test::with_gradients(mixed(5), in, grad);
  at::set_num_threads(2);
  const auto two = test::with_gradients(mixed(5), in, grad);
  at::set_num_threads(threads);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], two[i])) << i;
}

TEST(MixedSum, SaysWhatDoesNotFit) {
  const at::Tensor map = at::zeros({1, 2, 3, 3});
  const std::vector<MixedInput> one{{map, {}, kEps}};
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { mixed_sum({}, at::ones({0})); }),
            "[nn::mixed_sum] needs at least one input");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { mixed_sum(one, at::ones({2})); }),
            "[nn::mixed_sum] weights must be [1]");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              mixed_sum(
                  std::vector<MixedInput>{{map, {}, kEps}, {at::zeros({1, 2, 3, 4}), {}, kEps}},
                  at::ones({2}));
            }),
            "[nn::mixed_sum] inputs must be maps [N, C, H, W] of one shape");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              mixed_sum(std::vector<MixedInput>{{map, at::ones({2, 3}), kEps}}, at::ones({1}));
            }),
            "[nn::mixed_sum] moments must be [2, 2]");
}

}  // namespace
}  // namespace lathe::nn
