// The executor against plain loops in double, and what it frees, fuses, drops and refuses.
#include "lathe/nn/executor.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/Allocator.h>
#include <c10/core/GradMode.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "deploy/nets.h"
#include "lathe/deploy/torchscript.h"
#include "lathe/space/builtin_spaces.h"
#include "lathe/space/families/cell_search.h"
#include "naive_executor.h"
#include "net_fixtures.h"
#include "nn/small_space.h"

namespace lathe::nn {
namespace {

using deploy::max_relative_error;
using graph::Activation;
using graph::Graph;
using lathe::testing::execute_naively;
using lathe::testing::NamedGraph;
using lathe::testing::random_input;
using lathe::testing::random_net;
using lathe::testing::text_thrown;

constexpr Kernels kBoth[] = {Kernels::kLathe, Kernels::kLibrary};

/// Both kernels on `graph` with random weights agree with plain loops.
void expect_as_naive(const Graph& graph, std::uint64_t seed) {
  const c10::NoGradGuard no_grad;
  Rng rng(seed);
  const graph::Net net = random_net(graph, rng);
  const FloatTensor input = random_input(graph.input_shape(), 3, rng);
  const FloatTensor expected = execute_naively(net, input);
  const Executor executor(graph);
  const Binding binding = bind(net);
  for (const Kernels kernels : kBoth) {
    for (const bool channels_last : {false, true}) {
      const at::Tensor x = to_torch(input).contiguous(channels_last ? at::MemoryFormat::ChannelsLast
                                                                    : at::MemoryFormat::Contiguous);
      const FloatTensor output = from_torch(executor.forward(binding, x, {.kernels = kernels}));
      ASSERT_EQ(output.shape, expected.shape);
      EXPECT_LT(max_relative_error(output, expected), 1e-5);
    }
  }
}

class SmallGraph : public ::testing::TestWithParam<NamedGraph> {};

TEST_P(SmallGraph, AgreesWithPlainLoops) { expect_as_naive(GetParam().graph, 1); }

INSTANTIATE_TEST_SUITE_P(Executor, SmallGraph, ::testing::ValuesIn(lathe::testing::small_graphs()),
                         [](const auto& param) { return param.param.name; });

TEST(Executor, AgreesWithPlainLoopsOnNetsOfASpace) {
  const auto space = lathe::testing::small_space();
  expect_as_naive(space->graph(space->largest()), 2);
  Rng rng(3);
  for (std::uint64_t i = 0; i < 5; ++i) {
    expect_as_naive(space->graph(space->sample(rng)), i);
  }
}

TEST(Executor, AgreesWithPlainLoopsOnCellNets) {
  Rng rng(12);
  const auto cifar = space::make_space("darts_c4_l3", {.input_size = 8});
  const auto imagenet = space::make_space("darts_imagenet_c4_l3", {.input_size = 32});
  expect_as_naive(cifar->graph(cifar->largest()), 2);
  for (std::uint64_t i = 0; i < 5; ++i) {
    expect_as_naive(cifar->graph(cifar->sample(rng)), i);
    expect_as_naive(imagenet->graph(imagenet->sample(rng)), i);
  }
}

TEST(Executor, AgreesWithPlainLoopsOnNetsThatAreSearched) {
  const space::CellSpec spec{.name = "search",
                             .task = {.in_channels = 2, .num_classes = 3, .input_size = 8},
                             .init_channels = 8,
                             .cells = 3};
  expect_as_naive(space::cell_search_graph(spec).graph, 3);
  expect_as_naive(space::cell_search_graph(spec, {.channel_parts = 4}).graph, 4);
}

TEST(Executor, FusesOnlyAnActivationThatIsTheBatchNormsOnlyReader) {
  for (const Activation activation :
       {Activation::kRelu, Activation::kRelu6, Activation::kHSwish, Activation::kHSigmoid}) {
    Graph alone({5, 4, 6});
    alone.activation(alone.batch_norm(0, "b", 1e-2), activation);
    expect_as_naive(alone, 4);

    Graph shared({5, 4, 6});
    const int norm = shared.batch_norm(0, "b", 1e-2);
    shared.add(shared.activation(norm, activation), norm);
    expect_as_naive(shared, 5);

    Graph twice({5, 4, 6});
    const int other = twice.batch_norm(0, "b", 1e-2);
    const int first = twice.activation(other, activation);
    twice.concat({first, twice.activation(other, Activation::kHSwish)});
    expect_as_naive(twice, 6);

    Graph apart({5, 4, 6});
    const int left = apart.batch_norm(0, "left", 1e-2);
    const int right = apart.batch_norm(0, "right", 1e-2);
    apart.add(apart.activation(left, activation), apart.activation(right, Activation::kRelu));
    expect_as_naive(apart, 7);
  }
}

/// What training gives: the output, the gradients of the input and the parameters in the graph's
/// order, then the running statistics.
std::vector<at::Tensor> train_once(const Graph& graph, const graph::Net& net, const at::Tensor& x,
                                   Kernels kernels) {
  Binding binding = bind(net);
  at::Tensor input = x.clone().requires_grad_(true);
  std::vector<at::Tensor> leaves{input};
  std::vector<at::Tensor> statistics;
  for (NodeTensors& t : binding) {
    for (at::Tensor* tensor : {&t.weight, &t.bias}) {
      if (tensor->defined()) leaves.push_back(tensor->requires_grad_(true));
    }
    for (const at::Tensor& tensor : {t.running_mean, t.running_var}) {
      if (tensor.defined()) statistics.push_back(tensor);
    }
  }
  const at::Tensor y = Executor(graph).forward(
      binding, input, {.training = true, .momentum = 0.25, .dropout = false, .kernels = kernels});
  // A weighted sum, so that no gradient vanishes by symmetry.
  (y * at::linspace(-1, 2, y.numel()).view(y.sizes())).sum().backward();
  std::vector<at::Tensor> results{y.detach()};
  for (const at::Tensor& leaf : leaves) {
    results.push_back(leaf.grad());
  }
  results.insert(results.end(), statistics.begin(), statistics.end());
  return results;
}

TEST(Executor, TrainsAlikeWithBothKernels) {
  const auto space = lathe::testing::small_space();
  Rng rng(8);
  std::vector<Graph> graphs{space->graph(space->largest())};
  for (int i = 0; i < 3; ++i) {
    graphs.push_back(space->graph(space->sample(rng)));
  }
  const space::CellSpec cells{.name = "search",
                              .task = {.in_channels = 2, .num_classes = 3, .input_size = 8},
                              .init_channels = 8,
                              .cells = 3};
  graphs.push_back(space::cell_search_graph(cells).graph);
  graphs.push_back(space::cell_search_graph(cells, {.channel_parts = 4}).graph);
  for (const Graph& graph : graphs) {
    const graph::Net net = random_net(graph, rng);
    const at::Tensor x = to_torch(random_input(graph.input_shape(), 6, rng));
    const std::vector<at::Tensor> ours = train_once(graph, net, x, Kernels::kLathe);
    const std::vector<at::Tensor> library = train_once(graph, net, x, Kernels::kLibrary);
    double largest = 0;  // a bias before a batch norm has a gradient of rounding errors only
    for (const at::Tensor& tensor : library) {
      largest = std::max(largest, tensor.abs().max().item<double>());
    }
    ASSERT_EQ(ours.size(), library.size());
    for (std::size_t r = 0; r < ours.size(); ++r) {
      const double scale = std::max(library[r].abs().max().item<double>(), 1e-2 * largest);
      EXPECT_LT((ours[r] - library[r]).abs().max().item<double>() / scale, 1e-4) << "result " << r;
    }
  }
}

TEST(Executor, TrainingNormalisesWithTheBatchAndMovesTheRunningStatistics) {
  Graph graph({1, 1, 2});
  graph.batch_norm(0, "b", 0.0);
  const graph::Net net{graph,
                       {{"b.weight", {{1}, {2}}},
                        {"b.bias", {{1}, {1}}},
                        {"b.running_mean", {{1}, {10}}},
                        {"b.running_var", {{1}, {8}}}}};
  const at::Tensor x = to_torch({{2, 1, 1, 2}, {1, 3, 5, 7}});  // mean 4, variance 5, unbiased 20/3
  for (const Kernels kernels : kBoth) {
    Binding binding = bind(net);
    const FloatTensor y = from_torch(Executor(graph).forward(
        binding, x, {.training = true, .momentum = 0.25, .kernels = kernels}));
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_NEAR(y.values[i], 1 + 2 * (2.0 * static_cast<double>(i) - 3) / std::sqrt(5.0), 1e-5);
    }
    EXPECT_NEAR(binding[1].running_mean.item<double>(), 0.75 * 10 + 0.25 * 4, 1e-5);
    EXPECT_NEAR(binding[1].running_var.item<double>(), 0.75 * 8 + 0.25 * 20 / 3, 1e-5);
  }
}

TEST(Executor, DropsOnlyWhenTrainingWithDropout) {
  Graph graph({1, 100, 100});
  graph.dropout(0, 0.25);
  const Executor executor(graph);
  const Binding binding(2);
  const at::Tensor x = at::ones({1, 1, 100, 100});
  EXPECT_TRUE(executor.forward(binding, x).equal(x));
  EXPECT_TRUE(executor.forward(binding, x, {.training = true, .dropout = false}).equal(x));
  EXPECT_TRUE(executor.forward(binding, x, {.training = false, .dropout = true}).equal(x));
  const at::Tensor dropped = executor.forward(binding, x, {.training = true});
  const double zeros = dropped.eq(0).sum().item<double>() / 10000;
  EXPECT_NEAR(zeros, 0.25, 0.03);  // 7 standard deviations
  EXPECT_NEAR(dropped.max().item<double>(), 1 / 0.75, 1e-6);
  EXPECT_EQ(dropped.gt(0).sum().item<int>(), dropped.gt(1.3).sum().item<int>());
}

/// Counts the bytes that the library's allocator holds for this thread.
struct MemoryCount : c10::MemoryReportingInfoBase {
  std::int64_t now = 0;
  std::int64_t peak = 0;

  void count(std::int64_t bytes) {
    now += bytes;
    peak = std::max(peak, now);
  }
  // Which of the two is the library's interface depends on its version.
  void reportMemoryUsage(void*, std::int64_t bytes, std::int64_t, std::int64_t, c10::Device) {
    count(bytes);
  }
  void reportMemoryUsage(void*, std::int64_t bytes, std::size_t, std::size_t, c10::Device) {
    count(bytes);
  }
  bool memoryProfilingEnabled() const override { return true; }
};

TEST(Executor, DropsPathsOfWholeImagesAtTheRateThatIsGiven) {
  Graph graph({2, 3, 3});
  graph.drop_path(0);
  const Executor executor(graph);
  const Binding binding(2);
  const at::Tensor x = at::ones({1000, 2, 3, 3});
  EXPECT_TRUE(at::equal(executor.forward(binding, x, {.training = true}), x));
  EXPECT_TRUE(at::equal(executor.forward(binding, x, {.drop_path = 0.25}), x));
  const at::Tensor y = executor.forward(
      binding, x,
      {.training = true, .drop_path = 0.25, .generator = at::detail::createCPUGenerator(1)});
  const at::Tensor sums = y.sum({1, 2, 3});
  const at::Tensor kept = sums.gt(0);
  EXPECT_NEAR(kept.to(at::kDouble).mean().item<double>(), 0.75, 0.05);
  EXPECT_TRUE(at::allclose(sums, kept.to(at::kFloat) * (18 / 0.75)));
}

TEST(Executor, ObserverSeesEveryNodeButABatchNormJoinedWithItsActivation) {
  Graph g({3, 6, 6});
  const int conv = g.conv(0, "conv", {.out_channels = 4, .kernel = 3});  // 1
  const int norm = g.batch_norm(conv, "norm", 1e-5);                     // 2
  const int relu = g.activation(norm, Activation::kRelu);                // 3
  g.linear(g.global_avg_pool(g.add(relu, conv)), "fc", 2, true);         // 4, 5, 6
  Rng rng(9);
  const graph::Net net = random_net(g, rng);
  const at::Tensor x = to_torch(random_input(g.input_shape(), 2, rng));
  std::vector<int> seen;
  at::Tensor last;
  ForwardOptions options;
  options.observe = [&](int node, const at::Tensor& output) {
    seen.push_back(node);
    EXPECT_EQ(output.size(1), g[node].shape.channels) << node;
    last = output;
  };
  const c10::NoGradGuard no_grad;
  const at::Tensor y = Executor(g).forward(bind(net), x, options);
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 3, 4, 5, 6}));
  EXPECT_TRUE(at::equal(y, last.flatten(1)));
}

TEST(Executor, FreesATensorAfterItsLastReader) {
  const c10::NoGradGuard no_grad;
  Graph graph({1, 256, 256});  // 256 KiB an activation
  const int early = graph.activation(0, Activation::kHSwish);
  int x = early;
  for (int i = 0; i < 20; ++i) {
    x = graph.activation(x, Activation::kRelu);
  }
  graph.add(x, early);
  const Executor executor(graph);
  const Binding binding(static_cast<std::size_t>(graph.size()));
  const at::Tensor input = at::ones({1, 1, 256, 256});
  const auto memory = std::make_shared<MemoryCount>();
  {
    const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, memory);
    executor.forward(binding, input);
  }
  EXPECT_GE(memory->peak, 3 << 18) << "the count sees nothing";
  EXPECT_LE(memory->peak, 4 << 18) << "early, one in and one out of an activation, and a spare";
}

TEST(Executor, SaysWhatDoesNotFit) {
  Graph graph({3, 8, 6});
  graph.batch_norm(graph.conv(0, "c", {.out_channels = 4}), "b", 1e-5);
  Rng rng(9);
  const graph::Net net = random_net(graph, rng);
  const Executor executor(graph);
  const Binding binding = bind(net);
  const auto text = [&](const Binding& b, const at::Tensor& x) {
    return text_thrown<std::invalid_argument>([&] { executor.forward(b, x); });
  };
  const at::Tensor fits = at::zeros({2, 3, 8, 6});
  EXPECT_EQ(text(binding, at::zeros({2, 3, 6, 8})),
            "[nn::Executor] input must be [N, 3, 8, 6], got [2, 3, 6, 8]");
  EXPECT_EQ(text(binding, at::zeros({3, 8, 6})),
            "[nn::Executor] input must be [N, 3, 8, 6], got [3, 8, 6]");
  EXPECT_EQ(text(binding, at::Tensor()), "[nn::Executor] input must be [N, 3, 8, 6], got nothing");
  EXPECT_EQ(text({}, fits),
            "[nn::Executor] the binding is of another graph: it has 0 nodes, "
            "expected 3");
  Binding other = binding;
  other[1].weight = at::zeros({5, 3, 1, 1});
  EXPECT_EQ(text(other, fits),
            "[nn::Executor] parameter c.weight must have shape [4, 3, 1, 1], got [5, 3, 1, 1]");
  other = binding;
  other[2].running_var.reset();
  EXPECT_EQ(text(other, fits),
            "[nn::Executor] parameter b.running_var must have shape [4], got nothing");
}

}  // namespace
}  // namespace lathe::nn
