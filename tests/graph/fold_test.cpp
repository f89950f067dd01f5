// Folding against the naive executor in double, and which batch norms must stay.
#include "lathe/graph/fold.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "naive_executor.h"
#include "net_fixtures.h"

namespace lathe::graph {
namespace {

using lathe::testing::execute_naively;
using lathe::testing::random_net;

std::vector<Op> ops_of(const Graph& graph) {
  std::vector<Op> ops;
  for (const Node& node : graph.nodes()) {
    ops.push_back(node.op);
  }
  return ops;
}

/// The largest difference of the two nets' outputs over the largest output, for one random image.
double difference(const Net& a, const Net& b, Rng& rng) {
  std::vector<double> image(static_cast<std::size_t>(a.graph.input_shape().size()));
  for (double& value : image) {
    value = rng.normal();
  }
  const std::vector<double> x = execute_naively(a, image);
  const std::vector<double> y = execute_naively(b, image);
  EXPECT_EQ(x.size(), y.size());
  double largest = 0;
  double worst = 0;
  for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    largest = std::max(largest, std::abs(x[i]));
    worst = std::max(worst, std::abs(x[i] - y[i]));
  }
  EXPECT_GT(largest, 0);
  return worst / largest;
}

/// Folds, checks that the function is the same to float rounding, and gives the folded net.
Net folded_and_checked(const Graph& graph, std::uint64_t seed = 1) {
  Rng rng(seed);
  const Net net = random_net(graph, rng);
  Net folded = fold_batch_norm(net);
  check_weights(folded);
  EXPECT_EQ(folded.weights.size(), parameters_of(folded.graph).size()) << "leftover parameters";
  EXPECT_EQ(folded.graph.input_shape(), graph.input_shape());
  EXPECT_EQ(folded.graph.output_shape(), graph.output_shape());
  for (int i = 0; i < 3; ++i) {
    EXPECT_LT(difference(net, folded, rng), 1e-6);
  }
  return folded;
}

TEST(FoldBatchNorm, HandComputed) {
  Graph g({1, 1, 1});
  g.batch_norm(g.conv(0, "c", {.out_channels = 2, .bias = true}), "b", 0.25);
  const Net folded = fold_batch_norm({g,
                                      {{"c.weight", {{2, 1, 1, 1}, {3, 5}}},
                                       {"c.bias", {{2}, {1, 2}}},
                                       {"b.weight", {{2}, {2, -1}}},
                                       {"b.bias", {{2}, {7, 8}}},
                                       {"b.running_mean", {{2}, {4, 6}}},
                                       {"b.running_var", {{2}, {0.75F, 3.75F}}}}});
  // Scales 2 / 1 and -1 / 2; shifts 7 + (1 - 4) * 2 and 8 + (2 - 6) * -0.5.
  EXPECT_EQ(folded.weights,
            (TensorMap{{"c.weight", {{2, 1, 1, 1}, {6, -2.5F}}}, {"c.bias", {{2}, {1, 10}}}}));
  EXPECT_EQ(ops_of(folded.graph), (std::vector<Op>{Op::kInput, Op::kConv}));
  EXPECT_TRUE(folded.graph[1].bias);
}

TEST(FoldBatchNorm, OfConvolutionsOfEveryKind) {
  Graph g({4, 7, 7});
  int x = g.conv(0, "a", {.out_channels = 8, .kernel = 3, .stride = 2});
  x = g.activation(g.batch_norm(x, "a_bn", 1e-3), Activation::kHSwish);
  x = g.conv(x, "b", {.out_channels = 8, .kernel = 5, .groups = 8, .dilation = 2});
  x = g.activation(g.batch_norm(x, "b_bn", 1e-5), Activation::kRelu6);
  x = g.conv(x, "c", {.out_channels = 6, .groups = 2, .bias = true});
  x = g.batch_norm(x, "c_bn", 1e-5);
  x = g.max_pool(x, 3, 2, 1);
  x = g.dropout(g.global_avg_pool(x), 0.2);
  g.linear(x, "fc", 5, true);
  const Net folded = folded_and_checked(g);
  EXPECT_EQ(ops_of(folded.graph),
            (std::vector<Op>{Op::kInput, Op::kConv, Op::kActivation, Op::kConv, Op::kActivation,
                             Op::kConv, Op::kMaxPool, Op::kGlobalAvgPool, Op::kLinear}));
  EXPECT_TRUE(folded.weights.contains("a.bias"));
  EXPECT_FALSE(folded.weights.contains("a_bn.weight"));
}

TEST(FoldBatchNorm, OfAResidualBlockWithSqueezeExcite) {
  Graph g({8, 5, 5});
  int y = g.conv(0, "expand", {.out_channels = 16});
  y = g.activation(g.batch_norm(y, "expand_bn", 1e-5), Activation::kRelu);
  int gate = g.conv(g.global_avg_pool(y), "reduce", {.out_channels = 8, .bias = true});
  gate = g.conv(g.activation(gate, Activation::kRelu), "restore", {.out_channels = 16});
  y = g.mul(y, g.activation(gate, Activation::kHSigmoid));
  y = g.batch_norm(g.conv(y, "project", {.out_channels = 8}), "project_bn", 1e-5);
  g.concat({g.add(y, 0), g.avg_pool(y, 3, 1, 1, true)});
  const Net folded = folded_and_checked(g);
  EXPECT_EQ(folded.graph.size(), g.size() - 2);
}

TEST(FoldBatchNorm, IntoEveryConvolutionOfAConcatenation) {
  Graph g({3, 6, 6});
  const int x = g.activation(0, Activation::kRelu);
  const int even = g.conv(x, "even", {.out_channels = 2, .stride = 2});
  const int odd = g.conv(g.crop(x, 1), "odd", {.out_channels = 5, .stride = 2, .bias = true});
  g.batch_norm(g.concat({even, odd}), "bn", 1e-5);
  const Net folded = folded_and_checked(g);
  EXPECT_EQ(ops_of(folded.graph), (std::vector<Op>{Op::kInput, Op::kActivation, Op::kConv,
                                                   Op::kCrop, Op::kConv, Op::kConcat}));
  EXPECT_TRUE(folded.graph[2].bias);
}

TEST(FoldBatchNorm, NotIntoAConcatenationOfOtherThingsOrWithOtherReaders) {
  Graph with_input({3, 4, 4});
  const int conv = with_input.conv(0, "c", {.out_channels = 2});
  with_input.batch_norm(with_input.concat({conv, 0}), "bn", 1e-5);
  EXPECT_EQ(folded_and_checked(with_input).graph, with_input);

  Graph twice({3, 4, 4});
  const int same = twice.conv(0, "c", {.out_channels = 2});
  twice.batch_norm(twice.concat({same, same}), "bn", 1e-5);
  EXPECT_EQ(folded_and_checked(twice).graph, twice);

  Graph read_again({3, 4, 4});
  const int joined = read_again.concat(
      {read_again.conv(0, "a", {.out_channels = 2}), read_again.conv(0, "b", {.out_channels = 1})});
  read_again.add(read_again.batch_norm(joined, "bn", 1e-5), joined);
  EXPECT_EQ(folded_and_checked(read_again).graph, read_again);
}

TEST(FoldBatchNorm, NotWhereTheConvolutionHasAnotherReader) {
  Graph g({3, 4, 4});
  const int conv = g.conv(0, "c", {.out_channels = 3, .kernel = 3});
  const int norm = g.batch_norm(conv, "b", 1e-5);
  g.add(norm, conv);
  EXPECT_EQ(folded_and_checked(g).graph, g);
}

TEST(FoldBatchNorm, NotWhereTwoBatchNormsReadOneConvolution) {
  Graph g({3, 4, 4});
  const int conv = g.conv(0, "c", {.out_channels = 3, .kernel = 3});
  const int first = g.batch_norm(conv, "first", 1e-5);
  g.add(first, g.batch_norm(conv, "second", 1e-5));
  EXPECT_EQ(folded_and_checked(g).graph, g);
}

TEST(FoldBatchNorm, NotAcrossAnotherOperationOrAfterALinearLayer) {
  Graph g({3, 4, 4});
  int x = g.batch_norm(0, "at_input", 1e-5);
  x = g.activation(g.conv(x, "c", {.out_channels = 4}), Activation::kRelu);
  x = g.batch_norm(x, "after_activation", 1e-5);
  x = g.batch_norm(x, "after_norm", 1e-5);
  x = g.linear(g.global_avg_pool(x), "fc", 4, true);
  g.batch_norm(x, "after_linear", 1e-5);
  EXPECT_EQ(folded_and_checked(g).graph, g);
}

TEST(FoldBatchNorm, OnlyTheFirstOfTwoInARow) {
  Graph g({3, 4, 4});
  const int x = g.batch_norm(g.conv(0, "c", {.out_channels = 4}), "first", 1e-5);
  g.batch_norm(x, "second", 1e-5);
  const Net folded = folded_and_checked(g);
  EXPECT_EQ(ops_of(folded.graph), (std::vector<Op>{Op::kInput, Op::kConv, Op::kBatchNorm}));
  EXPECT_EQ(folded.graph[2].name, "second");
}

TEST(FoldBatchNorm, ReadersOfTheBatchNormReadTheConvolutionInstead) {
  Graph g({3, 4, 4});
  const int x = g.batch_norm(g.conv(0, "c", {.out_channels = 3}), "b", 1e-5);
  const int y = g.activation(g.dropout(x, 0.5), Activation::kHSwish);
  g.add(y, x);
  const Net folded = folded_and_checked(g);
  EXPECT_EQ(ops_of(folded.graph),
            (std::vector<Op>{Op::kInput, Op::kConv, Op::kActivation, Op::kAdd}));
  EXPECT_EQ(folded.graph[3].inputs, (std::vector<int>{2, 1}));
}

TEST(FoldBatchNorm, KeepsTheOutputWhereTheLastNodeGoesAwayBehindADeadOne) {
  Graph folded_last({3, 4, 4});
  const int conv = folded_last.conv(0, "c", {.out_channels = 3});
  folded_last.conv(0, "dead", {.out_channels = 3});
  folded_last.batch_norm(conv, "b", 1e-5);
  EXPECT_EQ(folded_and_checked(folded_last).graph.size(), 2);

  Graph dropped_last({3, 4, 4});
  dropped_last.conv(0, "dead", {.out_channels = 3});
  dropped_last.dropout(0, 0.5);
  EXPECT_EQ(folded_and_checked(dropped_last).graph, Graph({3, 4, 4}));
}

TEST(FoldBatchNorm, ChangesNothingTheSecondTime) {
  Graph g({3, 4, 4});
  g.dropout(g.batch_norm(g.conv(0, "c", {.out_channels = 3}), "b", 1e-5), 0.1);
  const Net once = folded_and_checked(g);
  const Net twice = fold_batch_norm(once);
  EXPECT_EQ(twice.graph, once.graph);
  EXPECT_EQ(twice.weights, once.weights);
}

TEST(CheckWeights, NamesTheFirstParameterAtFault) {
  Graph g({3, 4, 4});
  g.batch_norm(g.conv(0, "c", {.out_channels = 2}), "b", 1e-5);
  Rng rng(1);
  const Net net = random_net(g, rng);
  check_weights(net);
  const auto text = [&](const std::function<void(TensorMap&)>& spoil, bool fold) {
    Net spoiled = net;
    spoil(spoiled.weights);
    return lathe::testing::text_thrown<std::invalid_argument>(
        [&] { fold ? void(fold_batch_norm(spoiled)) : check_weights(spoiled); });
  };
  for (bool fold : {false, true}) {
    EXPECT_EQ(text([](TensorMap& w) { w.erase("b.running_mean"); }, fold),
              "[graph::check_weights] missing parameter b.running_mean");
    EXPECT_EQ(text(
                  [](TensorMap& w) {
                    w["c.weight"].shape = {2, 3};
                  },
                  fold),
              "[graph::check_weights] parameter c.weight must have shape [2, 3, 1, 1], got [2, 3]");
    EXPECT_EQ(text([](TensorMap& w) { w["b.bias"].values.pop_back(); }, fold),
              "[graph::check_weights] parameter b.bias must have 2 values, got 1");
  }
  Net more = net;
  more.weights["other"] = {{1}, {1}};
  check_weights(more);  // another net's parameters beside its own are no fault
}

}  // namespace
}  // namespace lathe::graph
