// The oracle itself, against numbers worked out by hand.
#include "naive_executor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

namespace lathe::testing {
namespace {

using graph::Activation;
using graph::Graph;
using Values = std::vector<double>;

const Values kOneToNine{1, 2, 3, 4, 5, 6, 7, 8, 9};

Values run(const Graph& graph, const TensorMap& weights, const Values& image) {
  return execute_naively(graph::Net{graph, weights}, image);
}

TEST(NaiveExecutor, ConvPadsAndStrides) {
  Graph g({1, 3, 3});
  g.conv(0, "c", {.out_channels = 1, .kernel = 3, .stride = 2, .bias = true});
  const TensorMap weights{{"c.weight", {{1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9}}},
                          {"c.bias", {{1}, {0.5F}}}};
  // Each corner's window sees a 2x2 part of the map: 1*5 + 2*6 + 4*8 + 5*9 for the first.
  EXPECT_EQ(run(g, weights, kOneToNine), (Values{94.5, 106.5, 106.5, 94.5}));
}

TEST(NaiveExecutor, ConvDilates) {
  Graph g({1, 3, 3});
  g.conv(0, "c", {.out_channels = 1, .kernel = 3, .stride = 3, .dilation = 2});
  const TensorMap weights{{"c.weight", {{1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9}}}};
  // Taps two apart around the first pixel hit the four corners: 1*5 + 3*6 + 7*8 + 9*9.
  EXPECT_EQ(run(g, weights, kOneToNine), (Values{160}));
}

TEST(NaiveExecutor, ConvGroupsReadTheirOwnChannels) {
  Graph g({4, 1, 1});
  g.conv(0, "c", {.out_channels = 2, .groups = 2});
  const TensorMap weights{{"c.weight", {{2, 2, 1, 1}, {1, 10, 100, 1000}}}};
  EXPECT_EQ(run(g, weights, {1, 2, 3, 4}), (Values{21, 4300}));
}

TEST(NaiveExecutor, BatchNorm) {
  Graph g({2, 1, 2});
  g.batch_norm(0, "b", 0.25);
  const TensorMap weights{{"b.weight", {{2}, {2, 3}}},
                          {"b.bias", {{2}, {1, -1}}},
                          {"b.running_mean", {{2}, {1, 0}}},
                          {"b.running_var", {{2}, {2, 0}}}};
  const Values out = run(g, weights, {1, 4, 1, -1});
  EXPECT_DOUBLE_EQ(out[0], 1.0);
  EXPECT_DOUBLE_EQ(out[1], 1.0 + 2.0 * 3.0 / 1.5);
  EXPECT_DOUBLE_EQ(out[2], 3.0 / 0.5 - 1.0);
  EXPECT_DOUBLE_EQ(out[3], -3.0 / 0.5 - 1.0);
}

TEST(NaiveExecutor, Activations) {
  const Values image{-4, -1, 1, 7};
  const auto result = [&](Activation activation) {
    Graph g({1, 2, 2});
    g.activation(0, activation);
    return run(g, {}, image);
  };
  EXPECT_EQ(result(Activation::kNone), image);
  EXPECT_EQ(result(Activation::kRelu), (Values{0, 0, 1, 7}));
  EXPECT_EQ(result(Activation::kRelu6), (Values{0, 0, 1, 6}));
  EXPECT_EQ(result(Activation::kHSwish), (Values{0, -2.0 / 6.0, 4.0 / 6.0, 7}));
  EXPECT_EQ(result(Activation::kHSigmoid), (Values{0, 2.0 / 6.0, 4.0 / 6.0, 1}));
}

TEST(NaiveExecutor, PoolsSeeTheMapAndNotThePadding) {
  Graph padded({1, 3, 3});
  padded.max_pool(0, 3, 2, 1);
  EXPECT_EQ(run(padded, {}, kOneToNine), (Values{5, 6, 8, 9}));
  EXPECT_EQ(run(padded, {}, Values(9, -1.0)), Values(4, -1.0)) << "padding is no zero";

  Graph mean({1, 3, 3});
  mean.avg_pool(0, 3, 2, 1, false);
  EXPECT_EQ(run(mean, {}, kOneToNine), (Values{3, 4, 6, 7}));

  Graph ceil({1, 3, 3});
  ceil.avg_pool(0, 2, 2, 0, true);
  EXPECT_EQ(run(ceil, {}, kOneToNine), (Values{3, 4.5, 7.5, 9}));

  Graph all({1, 3, 3});
  all.global_avg_pool(0);
  EXPECT_EQ(run(all, {}, kOneToNine), (Values{5}));
}

TEST(NaiveExecutor, LinearAddMulConcatDropout) {
  Graph g({2, 1, 2});
  const int gate = g.global_avg_pool(0);
  const int scaled = g.mul(0, gate);
  const int sum = g.add(scaled, 0);
  const int joined = g.concat({sum, 0, scaled});
  g.linear(g.dropout(g.global_avg_pool(joined), 0.5), "l", 1, true);
  const TensorMap weights{{"l.weight", {{1, 6}, {1, 10, 100, 1000, 10000, 100000}}},
                          {"l.bias", {{1}, {0.5F}}}};
  const std::vector<Values> nodes = execute_every_node(graph::Net{g, weights}, Values{1, 3, 2, 6});
  EXPECT_EQ(nodes[static_cast<std::size_t>(gate)], (Values{2, 4}));
  EXPECT_EQ(nodes[static_cast<std::size_t>(scaled)], (Values{2, 6, 8, 24}));
  EXPECT_EQ(nodes[static_cast<std::size_t>(sum)], (Values{3, 9, 10, 30}));
  EXPECT_EQ(nodes[static_cast<std::size_t>(joined)],
            (Values{3, 9, 10, 30, 1, 3, 2, 6, 2, 6, 8, 24}));
  EXPECT_EQ(nodes.back(), (Values{6 + 200 + 200 + 4000 + 40000 + 1600000 + 0.5}));
}

TEST(NaiveExecutor, CropStartsLater) {
  Graph g({1, 3, 3});
  g.crop(0, 1);
  EXPECT_EQ(run(g, {}, kOneToNine), (Values{5, 6, 8, 9}));
}

TEST(NaiveExecutor, BatchesAreImageByImage) {
  Graph g({1, 1, 2});
  g.global_avg_pool(0);
  const FloatTensor batch{{2, 1, 1, 2}, {1, 3, 5, 9}};
  EXPECT_EQ(execute_naively(graph::Net{g, {}}, batch), (FloatTensor{{2, 1}, {2, 7}}));

  const Graph identity({1, 1, 2});
  EXPECT_EQ(execute_naively(graph::Net{identity, {}}, batch), batch);
  EXPECT_THROW(execute_naively(graph::Net{g, {}}, FloatTensor{{3, 1, 1, 2}, {1, 3, 5, 9}}),
               std::invalid_argument);
  EXPECT_THROW(execute_naively(graph::Net{g, {}}, Values{1}), std::invalid_argument);
}

}  // namespace
}  // namespace lathe::testing
