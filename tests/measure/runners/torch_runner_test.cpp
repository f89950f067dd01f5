#include "lathe/measure/runners/torch_runner.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/measure/collect.h"
#include "lathe/measure/random_net.h"
#include "lathe/nn/executor.h"
#include "net_fixtures.h"
#include "space/tiny_spaces.h"

namespace lathe::measure {
namespace {

using lathe::testing::text_thrown;
using lathe::testing::tiny_mobile;

constexpr TimingOptions kOnce{.warmup_runs = 0, .rounds = 1, .runs_per_round = 1};

graph::Net largest_net() {
  const auto space = space::make_mobile_space(tiny_mobile());
  return random_net(space->graph(space->largest()), 3);
}

TEST(RandomNetTest, HasEveryParameterAndItsShape) {
  for (const auto& space : {space::make_mobile_space(tiny_mobile()),
                            space::make_bottleneck_space(testing::tiny_bottleneck())}) {
    EXPECT_NO_THROW(graph::check_weights(random_net(space->graph(space->largest()), 1)));
    EXPECT_NO_THROW(graph::check_weights(random_net(space->graph(space->smallest()), 1)));
  }
}

TEST(RandomNetTest, FollowsFromTheSeed) {
  const auto space = space::make_mobile_space(tiny_mobile());
  const graph::Graph graph = space->graph(space->largest());
  EXPECT_EQ(random_net(graph, 1).weights, random_net(graph, 1).weights);
  EXPECT_NE(random_net(graph, 1).weights, random_net(graph, 2).weights);
}

TEST(RandomNetTest, KeepsActivationsInANormalRange) {
  const graph::Net net = largest_net();
  const nn::Executor executor(net.graph);
  const graph::Shape in = net.graph.input_shape();
  const c10::NoGradGuard no_grad;
  const at::Tensor x = at::randn({4, in.channels, in.height, in.width});
  const double size = executor.forward(nn::bind(net), x).abs().mean().item<double>();
  EXPECT_GT(size, 1e-3);
  EXPECT_LT(size, 1e3);
}

// What the runner times is the folded net in the runner's layout: it must be the same function.
TEST(TorchRunnerTest, FoldingAndLayoutKeepTheFunction) {
  Rng rng(5);
  const auto space = space::make_mobile_space(tiny_mobile());
  const c10::NoGradGuard no_grad;
  for (int i = 0; i < 10; ++i) {
    const graph::Net net = testing::random_net(space->graph(space->sample(rng)), rng);
    const graph::Net folded = graph::fold_batch_norm(net);
    const graph::Shape in = net.graph.input_shape();
    const at::Tensor x = at::randn({2, in.channels, in.height, in.width});
    nn::Binding binding = nn::bind(folded);
    for (nn::NodeTensors& tensors : binding) {
      if (tensors.weight.defined() && tensors.weight.dim() == 4) {
        tensors.weight = tensors.weight.contiguous(at::MemoryFormat::ChannelsLast);
      }
    }
    const at::Tensor want = nn::Executor(net.graph).forward(nn::bind(net), x);
    const at::Tensor got = nn::Executor(folded.graph)
                               .forward(binding, x.contiguous(at::MemoryFormat::ChannelsLast),
                                        {.kernels = nn::Kernels::kLibrary});
    EXPECT_LT((got - want).abs().max().item<double>(), 1e-4 * want.abs().max().item<double>());
  }
}

TEST(TorchRunnerTest, TimesNetsInEitherLayout) {
  for (const bool channels_last : {false, true}) {
    const auto runner = make_torch_runner(
        largest_net(), {.threads = 1, .batch = 3, .channels_last = channels_last});
    const std::vector<graph::Net> nets{largest_net(), largest_net()};
    const auto timings = runner->time(nets, {.warmup_runs = 1, .rounds = 2, .runs_per_round = 3});
    ASSERT_EQ(timings.size(), 2U);
    EXPECT_EQ(timings[0].times_ms().size(), 6U);
    EXPECT_GT(latency_stats(timings[0].times_ms()).min_ms, 0);
  }
}

TEST(TorchRunnerTest, RefusesANetWithoutItsWeights) {
  const auto runner = make_torch_runner(largest_net(), {.channels_last = true});
  graph::Net net = largest_net();
  net.weights.erase(net.weights.begin());
  EXPECT_THROW(runner->time({&net, 1}, kOnce), std::invalid_argument);
}

TEST(TorchRunnerTest, SetsTheNumberOfThreadsForTheTimingOnly) {
  const int before = at::get_num_threads();
  at::set_num_threads(2);
  const auto runner = make_torch_runner(largest_net(), {.threads = 1, .channels_last = true});
  EXPECT_EQ(at::get_num_threads(), 2);
  int inside = 0;
  const graph::Net net = largest_net();
  runner->time({&net, 1}, kOnce, [&](int, int) { inside = at::get_num_threads(); });
  EXPECT_EQ(inside, 1);
  EXPECT_EQ(at::get_num_threads(), 2);

  const auto broken = [](int, int) { throw std::runtime_error("broken"); };
  EXPECT_THROW(runner->time({&net, 1}, kOnce, broken), std::runtime_error);
  EXPECT_EQ(at::get_num_threads(), 2);
  at::set_num_threads(before);
}

TEST(TorchRunnerTest, SaysUnderWhichConditionsItMeasures) {
  const auto space = space::make_mobile_space(tiny_mobile());
  for (const bool channels_last : {false, true}) {
    const auto runner = make_torch_runner(
        largest_net(), {.threads = 2, .batch = 4, .channels_last = channels_last});
    const latency::Fingerprint f = fingerprint(*runner, *space);
    EXPECT_EQ(f.runtime.rfind("torch ", 0), 0U) << f.runtime;
    EXPECT_EQ(is_channels_last(f.runtime), channels_last) << f.runtime;
    EXPECT_FALSE(f.device.empty());
    EXPECT_EQ(f.precision, "float32");
    EXPECT_EQ(f.batch, 4);
    EXPECT_EQ(f.threads, 2);
    EXPECT_EQ(f.space, "tiny_mobile");
    EXPECT_EQ(f.in_channels, 2);
    EXPECT_EQ(f.num_classes, 4);
    EXPECT_EQ(f.input_size, 16);
  }
}

TEST(TorchRunnerTest, DecidesForALayoutWhenNoneIsGiven) {
  const auto runner = make_torch_runner(largest_net(), {});
  const std::string runtime = runner->runtime();
  EXPECT_TRUE(is_channels_last(runtime) || runtime.find(" nchw") != std::string::npos) << runtime;
}

TEST(TorchRunnerTest, RefusesDevicesThatAreNotThere) {
  const auto message = [](const std::string& device) {
    return text_thrown<Error>([&] { make_torch_runner(largest_net(), {.device = device}); });
  };
  EXPECT_EQ(message("tpu"), "device \"tpu\": expected cpu, cuda or cuda:<number>");
  EXPECT_EQ(message("mps"), "device \"mps\": expected cpu, cuda or cuda:<number>");
  EXPECT_EQ(message("cuda:99"), "device \"cuda:99\": LibTorch finds " +
                                    std::to_string(torch::cuda::device_count()) +
                                    " GPUs; it must be built with CUDA, and the driver be loaded");
}

TEST(TorchRunnerTest, TimesNetsOnAGpu) {
  if (!torch::cuda::is_available()) {
    GTEST_SKIP() << "needs a GPU and a LibTorch that is built with CUDA";
  }
  const auto runner = make_torch_runner(largest_net(), {.device = "cuda", .batch = 3});
  const graph::Net net = largest_net();
  const auto timings = runner->time({&net, 1}, {.warmup_runs = 1, .rounds = 2});
  EXPECT_GT(latency_stats(timings[0].times_ms()).min_ms, 0);
  EXPECT_NE(runner->device(), make_torch_runner(largest_net(), {})->device());
}

TEST(TorchRunnerTest, RefusesCountsOutOfRange) {
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [] { make_torch_runner(largest_net(), {.threads = 0, .batch = 2}); }),
            "[measure::make_torch_runner] threads and batch must be > 0, got 0 and 2");
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [] { make_torch_runner(largest_net(), {.threads = 1, .batch = -2}); }),
            "[measure::make_torch_runner] threads and batch must be > 0, got 1 and -2");
}

}  // namespace
}  // namespace lathe::measure
