// What is joined with what; that the results are the same is tested with the executor.
#include "lathe/nn/fusion.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "nn/small_space.h"

namespace lathe::nn {
namespace {

using graph::Activation;
using graph::Graph;
using Kind = Operation::Kind;

int count(const std::vector<Operation>& plan, Kind kind) {
  return static_cast<int>(
      std::count_if(plan.begin(), plan.end(), [&](const Operation& o) { return o.kind == kind; }));
}

/// An inverted residual block with squeeze-and-excite; gives the index of its output.
int inverted_residual(Graph& g) {
  int y = g.batch_norm(g.conv(0, "expand", {.out_channels = 24}), "a", 1e-5);
  y = g.activation(y, Activation::kRelu);
  y = g.batch_norm(g.conv(y, "depthwise", {.out_channels = 24, .kernel = 3, .groups = 24}), "b",
                   1e-5);
  y = g.activation(y, Activation::kHSwish);
  int gate = g.conv(g.global_avg_pool(y), "reduce", {.out_channels = 8, .bias = true});
  gate =
      g.conv(g.activation(gate, Activation::kRelu), "expand2", {.out_channels = 24, .bias = true});
  y = g.mul(y, g.activation(gate, Activation::kHSigmoid));
  y = g.batch_norm(g.conv(y, "project", {.out_channels = 8}), "c", 1e-5);
  return g.add(y, 0);
}

TEST(Fusion, JoinsAnInvertedResidualInFourOperations) {
  Graph g({8, 6, 6});
  const int out = inverted_residual(g);
  const std::vector<Operation> joined = plan(g, Joining::kConvolutions);
  ASSERT_EQ(joined.size(), 4U);
  EXPECT_TRUE(joined[0].pending);
  EXPECT_TRUE(joined[1].pending);
  EXPECT_EQ(joined[2].kind, Kind::kSqueezeExcite);
  EXPECT_EQ(joined[2].inputs, std::vector<int>{joined[1].result});
  EXPECT_EQ(joined[3].kind, Kind::kConvolve);
  EXPECT_FALSE(joined[3].pending);
  EXPECT_EQ(joined[3].add, out);
  EXPECT_EQ(joined[3].inputs, (std::vector<int>{joined[2].result, 0}));
  EXPECT_EQ(joined[3].last, (std::vector<int>{joined[2].result, 0}));
}

TEST(Fusion, WithoutConvolutionsJoinsBatchNormWithItsActivationOnly) {
  Graph g({8, 6, 6});
  inverted_residual(g);
  const std::vector<Operation> plain = plan(g, Joining::kActivations);
  EXPECT_EQ(plain.size(), static_cast<std::size_t>(g.size()) - 3);  // the input, two activations
  EXPECT_EQ(count(plain, Kind::kNormalise), 3);
  EXPECT_EQ(count(plain, Kind::kNode), static_cast<int>(plain.size()) - 3);
}

TEST(Fusion, EveryNodeIsRunOnceAfterItsInputs) {
  const auto space = lathe::testing::small_space();
  Rng rng(1);
  for (int i = 0; i < 10; ++i) {
    const Graph g = space->graph(i == 0 ? space->largest() : space->sample(rng));
    for (const Joining joining :
         {Joining::kActivations, Joining::kConvolutions, Joining::kMixtures}) {
      std::vector<bool> there(static_cast<std::size_t>(g.size()), false);
      there[0] = true;
      for (const Operation& operation : plan(g, joining)) {
        for (const int input : operation.inputs) {
          EXPECT_TRUE(there[static_cast<std::size_t>(input)]) << input;
        }
        EXPECT_FALSE(there[static_cast<std::size_t>(operation.result)]);
        there[static_cast<std::size_t>(operation.result)] = true;
        for (const int input : operation.last) there[static_cast<std::size_t>(input)] = false;
      }
      EXPECT_TRUE(there.back());
    }
  }
}

TEST(Fusion, LeavesNothingPendingThatAReaderCannotTake) {
  Graph g({8, 6, 6});
  const int y = g.activation(g.batch_norm(g.conv(0, "a", {.out_channels = 8}), "an", 1e-5),
                             Activation::kRelu);
  g.batch_norm(g.conv(y, "b", {.out_channels = 8}), "bn", 1e-5);
  g.add(g.size() - 1, y);  // a second reader, which wants it computed
  const std::vector<Operation> joined = plan(g, Joining::kConvolutions);
  ASSERT_EQ(joined.size(), 2U);
  EXPECT_FALSE(joined[0].pending);
  EXPECT_EQ(joined[1].add, g.size() - 1);
}

TEST(Fusion, DoesNotJoinWhatOurKernelsDoNotRun) {
  const auto joins = [](const Graph::ConvOptions& options) {
    Graph g({8, 6, 6});
    g.batch_norm(g.conv(0, "a", options), "b", 1e-5);
    return count(plan(g, Joining::kConvolutions), Kind::kConvolve) == 1;
  };
  EXPECT_TRUE(joins({.out_channels = 5}));
  EXPECT_FALSE(joins({.out_channels = 5, .stride = 2}));
  EXPECT_FALSE(joins({.out_channels = 5, .bias = true}));
  EXPECT_FALSE(joins({.out_channels = 5, .padding = 1}));
  EXPECT_FALSE(joins({.out_channels = 5, .kernel = 3}));
  EXPECT_FALSE(joins({.out_channels = 8, .groups = 2}));
  EXPECT_TRUE(joins({.out_channels = 8, .kernel = 5, .stride = 2, .groups = 8}));
  EXPECT_FALSE(joins({.out_channels = 8, .kernel = 5, .groups = 8, .dilation = 2}));
  EXPECT_FALSE(joins({.out_channels = 8, .kernel = 9, .groups = 8}));
  EXPECT_FALSE(joins({.out_channels = 16, .kernel = 3, .groups = 8}));
}

TEST(Fusion, KeepsASqueezeAndExciteApartWhereItsMeanIsReadElsewhere) {
  Graph g({8, 6, 6});
  const int pool = g.global_avg_pool(0);
  int gate = g.conv(pool, "reduce", {.out_channels = 4, .bias = true});
  gate = g.conv(g.activation(gate, Activation::kRelu), "expand", {.out_channels = 8, .bias = true});
  const int y = g.mul(0, g.activation(gate, Activation::kHSigmoid));
  g.concat({g.global_avg_pool(y), pool});
  EXPECT_EQ(count(plan(g, Joining::kConvolutions), Kind::kSqueezeExcite), 0);
}

}  // namespace
}  // namespace lathe::nn
