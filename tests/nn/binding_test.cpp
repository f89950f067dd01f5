#include "lathe/nn/binding.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "core/temporary_folder.h"
#include "net_fixtures.h"

namespace lathe::nn {
namespace {

using lathe::testing::text_thrown;

graph::Graph small_graph() {
  graph::Graph graph({2, 3, 3});
  int x = graph.conv(0, "c", {.out_channels = 4, .kernel = 3, .bias = true});
  x = graph.global_avg_pool(graph.batch_norm(x, "b", 1e-5));
  graph.linear(x, "fc", 3, true);
  return graph;
}

TEST(Tensors, KeepValuesAndShapeBothWays) {
  const FloatTensor tensor{{2, 3}, {1, 2, 3, 4, 5, 6}};
  const at::Tensor copy = to_torch(tensor);
  EXPECT_EQ(copy.sizes(), at::IntArrayRef({2, 3}));
  EXPECT_EQ(copy[1][0].item<float>(), 4);
  EXPECT_EQ(from_torch(copy), tensor);
  EXPECT_EQ(from_torch(copy.t()), (FloatTensor{{3, 2}, {1, 4, 2, 5, 3, 6}}));
  EXPECT_EQ(from_torch(copy.narrow(1, 1, 1)), (FloatTensor{{2, 1}, {2, 5}}));
  EXPECT_EQ(from_torch(to_torch({{0}, {}})), (FloatTensor{{0}, {}}));
}

TEST(Binding, IsACopyWithoutGradients) {
  Rng rng(1);
  const graph::Net net = testing::random_net(small_graph(), rng);
  const Binding binding = bind(net);
  ASSERT_EQ(binding.size(), 5U);
  EXPECT_FALSE(binding[0].weight.defined());
  EXPECT_TRUE(binding[1].bias.defined());
  EXPECT_FALSE(binding[1].running_mean.defined());
  EXPECT_FALSE(binding[2].running_var.requires_grad());
  const graph::Net back = to_net(net.graph, binding);
  EXPECT_EQ(back.graph, net.graph);
  EXPECT_EQ(back.weights, net.weights);
  binding[1].weight.zero_();
  EXPECT_EQ(back.weights, net.weights);
}

TEST(Binding, SlicesBecomeWholeTensors) {
  graph::Graph graph({2, 1, 1});
  graph.linear(0, "fc", 2, false);
  const at::Tensor large = at::arange(12, at::kFloat).view({3, 4}).requires_grad_(true);
  Binding binding(2);
  binding[1].weight = large.narrow(0, 0, 2).narrow(1, 0, 2);
  EXPECT_EQ(to_net(graph, binding).weights, (TensorMap{{"fc.weight", {{2, 2}, {0, 1, 4, 5}}}}));
}

TEST(Binding, SaysWhatDoesNotFit) {
  Rng rng(2);
  graph::Net net = testing::random_net(small_graph(), rng);
  const Binding binding = bind(net);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              to_net(graph::Graph({2, 3, 3}), binding);
            }),
            "[nn::to_net] the binding is of another graph");
  net.weights.erase("fc.bias");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { bind(net); }),
            "[graph::check_weights] missing parameter fc.bias");
}

}  // namespace
}  // namespace lathe::nn
