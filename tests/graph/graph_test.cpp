// Shapes worked out by hand, what each operation refuses, and the parameters that a graph names.
#include "lathe/graph/graph.h"

#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"

namespace lathe::graph {
namespace {

using lathe::testing::text_thrown;
using Sizes = std::vector<std::int64_t>;

std::string refusal(const std::function<void()>& call) {
  return text_thrown<std::invalid_argument>(call);
}

TEST(Graph, StartsAsItsInput) {
  const Graph g({3, 5, 7});
  EXPECT_EQ(g.size(), 1);
  EXPECT_EQ(g[0].op, Op::kInput);
  EXPECT_EQ(g.input_shape(), (Shape{3, 5, 7}));
  EXPECT_EQ(g.output_shape(), g.input_shape());
  EXPECT_EQ(g.input_shape().size(), 105);
}

TEST(Graph, RefusesAnInputWithoutSize) {
  EXPECT_EQ(refusal([] {
              Graph g({0, 2, 2});
            }),
            "[graph::Graph] input shape must be positive, got 0x2x2");
  EXPECT_EQ(refusal([] {
              Graph g({1, -2, 2});
            }),
            "[graph::Graph] input shape must be positive, got 1x-2x2");
  EXPECT_EQ(refusal([] {
              Graph g({1, 2, 0});
            }),
            "[graph::Graph] input shape must be positive, got 1x2x0");
}

TEST(Graph, ConvShapes) {
  Graph g({4, 7, 10});
  const auto shape = [&](const Graph::ConvOptions& o) { return g[g.conv(0, "c", o)].shape; };
  EXPECT_EQ(shape({.out_channels = 5}), (Shape{5, 7, 10}));
  EXPECT_EQ(shape({.out_channels = 5, .kernel = 3}), (Shape{5, 7, 10}));
  EXPECT_EQ(shape({.out_channels = 5, .kernel = 3, .stride = 2}), (Shape{5, 4, 5}));
  EXPECT_EQ(shape({.out_channels = 5, .kernel = 1, .stride = 2}), (Shape{5, 4, 5}));
  EXPECT_EQ(shape({.out_channels = 4, .kernel = 7, .stride = 3, .groups = 4}), (Shape{4, 3, 4}));
  EXPECT_EQ(shape({.out_channels = 2, .kernel = 5, .dilation = 2}), (Shape{2, 7, 10}));
  // An even kernel is padded by half of it on both sides, and so gives one row more.
  EXPECT_EQ(shape({.out_channels = 1, .kernel = 2}), (Shape{1, 8, 11}));
}

TEST(Graph, ConvKeepsItsOptionsInTheNode) {
  Graph g({4, 9, 9});
  const Node& node = g[g.conv(
      0, "c",
      {.out_channels = 8, .kernel = 5, .stride = 2, .groups = 2, .dilation = 2, .bias = true})];
  EXPECT_EQ(node, (Node{.op = Op::kConv,
                        .inputs = {0},
                        .shape = {8, 5, 5},
                        .name = "c",
                        .kernel = 5,
                        .stride = 2,
                        .padding = 4,
                        .dilation = 2,
                        .groups = 2,
                        .bias = true}));
}

TEST(Graph, ConvRefusals) {
  Graph g({6, 4, 4});
  const auto text = [&](const Graph::ConvOptions& o) {
    return refusal([&] { g.conv(0, "c", o); });
  };
  EXPECT_EQ(text({}), "[graph::conv] c: 0 channels in 1 groups don't fit input 6x4x4");
  EXPECT_EQ(text({.out_channels = 8, .groups = 4}),
            "[graph::conv] c: 8 channels in 4 groups don't fit input 6x4x4");
  EXPECT_EQ(text({.out_channels = 8, .groups = 3}),
            "[graph::conv] c: 8 channels in 3 groups don't fit input 6x4x4");
  EXPECT_EQ(text({.out_channels = 8, .groups = 0}),
            "[graph::conv] c: 8 channels in 0 groups don't fit input 6x4x4");
  EXPECT_EQ(text({.out_channels = 8, .kernel = 0}),
            "[graph::conv] c: kernel, stride and dilation must be > 0, got 0, 1, 1");
  EXPECT_EQ(text({.out_channels = 8, .stride = -1}),
            "[graph::conv] c: kernel, stride and dilation must be > 0, got 1, -1, 1");
  EXPECT_EQ(text({.out_channels = 8, .dilation = 0}),
            "[graph::conv] c: kernel, stride and dilation must be > 0, got 1, 1, 0");
  EXPECT_EQ(g.size(), 1) << "a refused node is not kept";
}

TEST(Graph, ConvPaddingIsHalfTheKernelUnlessGiven) {
  Graph g({4, 9, 8});
  EXPECT_EQ(g[g.conv(0, "a", {.out_channels = 2, .kernel = 2})].shape, (Shape{2, 10, 9}));
  const Node& bare = g[g.conv(0, "b", {.out_channels = 2, .kernel = 2, .padding = 0})];
  EXPECT_EQ(bare.shape, (Shape{2, 8, 7}));
  EXPECT_EQ(bare.padding, 0);
  EXPECT_EQ(g[g.conv(0, "c", {.out_channels = 2, .kernel = 3, .padding = 2})].shape,
            (Shape{2, 11, 10}));
  EXPECT_EQ(refusal([&] { g.conv(0, "d", {.out_channels = 2, .padding = -1}); }),
            "[graph::conv] d: padding must be >= 0, got -1");
}

TEST(Graph, ShiftAddsANumberToEachChannel) {
  Graph g({4, 9, 8});
  const int shift = g.shift(0, "s");
  EXPECT_EQ(g[shift], (Node{.op = Op::kShift, .inputs = {0}, .shape = {4, 9, 8}, .name = "s"}));
  const std::vector<ParameterSpec> parameters = parameters_of(g, shift);
  ASSERT_EQ(parameters.size(), 1U);
  EXPECT_EQ(parameters[0].name, "s.bias");
  EXPECT_EQ(parameters[0].shape, (std::vector<std::int64_t>{4, 1, 1}));
  EXPECT_EQ(parameters[0].role, ParameterSpec::Role::kBias);
}

TEST(Graph, CropDropsTheFirstRowsAndColumns) {
  Graph g({4, 9, 8});
  const Node& node = g[g.crop(0, 1)];
  EXPECT_EQ(node, (Node{.op = Op::kCrop, .inputs = {0}, .shape = {4, 8, 7}, .offset = 1}));
  EXPECT_EQ(g[g.crop(0, 7)].shape, (Shape{4, 2, 1}));
  const std::string rule = "[graph::crop] offset must be in [0, size of the map), got ";
  EXPECT_EQ(refusal([&] { g.crop(0, -1); }), rule + "-1 for 4x9x8");
  EXPECT_EQ(refusal([&] { g.crop(0, 8); }), rule + "8 for 4x9x8");
}

TEST(Graph, EveryOperationRefusesWhatIsNoNode) {
  Graph g({2, 1, 1});
  const std::string late = "[graph::Graph] input must be one of the 1 nodes so far, got 1";
  EXPECT_EQ(refusal([&] { g.conv(1, "c", {.out_channels = 1}); }), late);
  EXPECT_EQ(refusal([&] { g.batch_norm(1, "b", 1e-5); }), late);
  EXPECT_EQ(refusal([&] { g.activation(1, Activation::kRelu); }), late);
  EXPECT_EQ(refusal([&] { g.activation(1, Activation::kNone); }), late);
  EXPECT_EQ(refusal([&] { g.max_pool(1, 1, 1, 0); }), late);
  EXPECT_EQ(refusal([&] { g.avg_pool(1, 1, 1, 0, false); }), late);
  EXPECT_EQ(refusal([&] { g.global_avg_pool(1); }), late);
  EXPECT_EQ(refusal([&] { g.dropout(1, 0.5); }), late);
  EXPECT_EQ(refusal([&] { g.linear(1, "l", 1, true); }), late);
  EXPECT_EQ(refusal([&] { g.add(0, 1); }), late);
  EXPECT_EQ(refusal([&] { g.mul(1, 0); }), late);
  EXPECT_EQ(refusal([&] { g.concat({0, 1}); }), late);
  EXPECT_EQ(refusal([&] { g.crop(1, 0); }), late);
  EXPECT_EQ(refusal([&] { g.append({.op = Op::kDropout, .inputs = {1}}); }), late);
  EXPECT_EQ(refusal([&] { g.dropout(-1, 0.5); }),
            "[graph::Graph] input must be one of the 1 nodes so far, got -1");
  EXPECT_EQ(g.size(), 1);
}

struct PoolCase {
  int size, kernel, stride, padding;
  int floor_size, ceil_size;
};

// By hand: floor or ceil of (size + 2 padding - kernel) / stride, plus 1; less 1 where the last
// window would start in the padding on the right.
TEST(Graph, PoolShapes) {
  const std::vector<PoolCase> cases{
      {112, 3, 2, 1, 56, 57},  // 111 / 2 = 55.5; window 57 starts at 112, inside 113
      {7, 2, 2, 0, 3, 4},     {8, 2, 2, 0, 4, 4}, {5, 3, 2, 1, 3, 3},
      {6, 3, 2, 1, 3, 4},     {4, 2, 2, 1, 3, 3},  // even division: nothing to round
      {5, 2, 2, 1, 3, 3},  // ceil says 4, but window 4 would start at 6 = 5 + 1
      {3, 1, 2, 0, 2, 2},     {4, 1, 3, 0, 2, 2},  // ceil of 3 / 3
      {5, 1, 3, 0, 2, 2},                          // ceil says 3, but window 3 would start at 6 > 5
      {3, 3, 1, 1, 3, 3},
  };
  for (const PoolCase& c : cases) {
    Graph g({2, c.size, c.size + c.stride});
    const std::string what = std::to_string(c.size) + " k" + std::to_string(c.kernel) + " s" +
                             std::to_string(c.stride) + " p" + std::to_string(c.padding);
    const Shape floor_shape{2, c.floor_size, c.floor_size + 1};
    const Shape ceil_shape{2, c.ceil_size, c.ceil_size + 1};
    EXPECT_EQ(g[g.max_pool(0, c.kernel, c.stride, c.padding)].shape, floor_shape) << what;
    EXPECT_EQ(g[g.avg_pool(0, c.kernel, c.stride, c.padding, false)].shape, floor_shape) << what;
    EXPECT_EQ(g[g.avg_pool(0, c.kernel, c.stride, c.padding, true)].shape, ceil_shape) << what;
  }
}

TEST(Graph, CeilModeKeepsAWindowThatIsOnlyPartlyOnTheMap) {
  Graph g({1, 1, 1});
  EXPECT_EQ(g[g.avg_pool(0, 2, 2, 0, true)].shape, (Shape{1, 1, 1}));
  EXPECT_EQ(refusal([&] { g.avg_pool(0, 2, 2, 0, false); }),
            "[graph::avg_pool] kernel 2 is larger than 1x1x1");
  EXPECT_EQ(refusal([&] { g.max_pool(0, 2, 1, 0); }),
            "[graph::max_pool] kernel 2 is larger than 1x1x1");
  EXPECT_EQ(refusal([&] { g.avg_pool(0, 4, 2, 0, true); }),
            "[graph::avg_pool] kernel 4 is larger than 1x1x1");
}

TEST(Graph, PoolRefusals) {
  Graph g({1, 8, 8});
  const std::string rule =
      "kernel and stride must be > 0 and padding in [0, kernel / 2], got kernel ";
  EXPECT_EQ(refusal([&] { g.max_pool(0, 0, 1, 0); }),
            "[graph::max_pool] " + rule + "0, stride 1, padding 0");
  EXPECT_EQ(refusal([&] { g.max_pool(0, 3, 0, 1); }),
            "[graph::max_pool] " + rule + "3, stride 0, padding 1");
  EXPECT_EQ(refusal([&] { g.avg_pool(0, 3, 2, -1, true); }),
            "[graph::avg_pool] " + rule + "3, stride 2, padding -1");
  EXPECT_EQ(refusal([&] { g.avg_pool(0, 3, 2, 2, true); }),
            "[graph::avg_pool] " + rule + "3, stride 2, padding 2");
}

TEST(Graph, ElementwiseShapes) {
  Graph g({3, 4, 5});
  const Shape shape{3, 4, 5};
  const int norm = g.batch_norm(0, "b", 1e-3);
  EXPECT_EQ(g[norm].shape, shape);
  EXPECT_EQ(g[norm].eps, 1e-3);
  const int act = g.activation(norm, Activation::kHSwish);
  EXPECT_EQ(g[act].shape, shape);
  EXPECT_EQ(g[act].activation, Activation::kHSwish);
  const int dropout = g.dropout(act, 0.25);
  EXPECT_EQ(g[dropout].shape, shape);
  EXPECT_EQ(g[dropout].rate, 0.25);
  EXPECT_EQ(g[g.add(dropout, 0)].shape, shape);
  const int gate = g.global_avg_pool(act);
  EXPECT_EQ(g[gate].shape, (Shape{3, 1, 1}));
  EXPECT_EQ(g[g.mul(act, gate)].shape, shape);
  EXPECT_EQ(g[g.concat({0, act, norm})].shape, (Shape{9, 4, 5}));
  EXPECT_EQ(g[g.linear(gate, "l", 10, true)].shape, (Shape{10, 1, 1}));
}

TEST(Graph, NoActivationAddsNoNode) {
  Graph g({3, 4, 5});
  const int norm = g.batch_norm(0, "b", 1e-5);
  EXPECT_EQ(g.activation(norm, Activation::kNone), norm);
  EXPECT_EQ(g.size(), 2);
}

TEST(Graph, ElementwiseRefusals) {
  Graph g({3, 4, 4});
  const int half = g.max_pool(0, 2, 2, 0);
  const int wide = g.conv(0, "c", {.out_channels = 4});
  const int vector = g.global_avg_pool(wide);
  EXPECT_EQ(refusal([&] { g.add(0, half); }), "[graph::add] shapes differ: 3x4x4 and 3x2x2");
  EXPECT_EQ(refusal([&] { g.mul(0, vector); }),
            "[graph::mul] gate of 3x4x4 must have a number per channel, got 4x1x1");
  EXPECT_EQ(refusal([&] { g.mul(wide, wide); }),
            "[graph::mul] gate of 4x4x4 must have a number per channel, got 4x4x4");
  EXPECT_EQ(refusal([&] { g.concat({}); }), "[graph::concat] needs at least one input");
  EXPECT_EQ(refusal([&] { g.concat({0, half}); }), "[graph::concat] maps differ: 3x4x4 and 3x2x2");
  EXPECT_EQ(refusal([&] { g.linear(0, "l", 10, true); }),
            "[graph::linear] l: needs a Cx1x1 input and at least one output, got input 3x4x4, "
            "outputs 10");
  EXPECT_EQ(refusal([&] { g.linear(vector, "l", 0, true); }),
            "[graph::linear] l: needs a Cx1x1 input and at least one output, got input 4x1x1, "
            "outputs 0");
  EXPECT_EQ(refusal([&] { g.dropout(0, 1.0); }),
            "[graph::dropout] rate must be in [0, 1), got 1.000000");
  EXPECT_EQ(refusal([&] { g.dropout(0, -0.5); }),
            "[graph::dropout] rate must be in [0, 1), got -0.500000");
  EXPECT_EQ(refusal([&] { g.dropout(0, std::stod("nan")); }),
            "[graph::dropout] rate must be in [0, 1), got nan");
  EXPECT_EQ(g.size(), 4);
}

TEST(Graph, AppendKeepsTheNodeAsItIs) {
  Graph g({3, 4, 4});
  const Node node{.op = Op::kMaxPool, .inputs = {0}, .shape = {3, 9, 9}, .kernel = 2, .stride = 2};
  EXPECT_EQ(g.append(node), 1);
  EXPECT_EQ(g[1], node);
}

TEST(Graph, EqualGraphsAreEqual) {
  const auto make = [](int kernel) {
    Graph g({3, 4, 4});
    g.conv(0, "c", {.out_channels = 2, .kernel = kernel});
    return g;
  };
  EXPECT_EQ(make(3), make(3));
  EXPECT_NE(make(3), make(5));
}

TEST(ParametersOf, NamesShapesAndRolesInOrder) {
  Graph g({4, 6, 6});
  int x = g.conv(0, "conv", {.out_channels = 8, .kernel = 3, .groups = 2, .bias = true});
  x = g.batch_norm(x, "norm", 1e-5);
  x = g.activation(x, Activation::kRelu);
  x = g.global_avg_pool(x);
  x = g.linear(x, "fc", 10, /*bias=*/false);

  using Role = ParameterSpec::Role;
  const std::vector<ParameterSpec> expected{
      {"conv.weight", {8, 2, 3, 3}, Role::kWeight, Op::kConv},
      {"conv.bias", {8}, Role::kBias, Op::kConv},
      {"norm.weight", {8}, Role::kWeight, Op::kBatchNorm},
      {"norm.bias", {8}, Role::kBias, Op::kBatchNorm},
      {"norm.running_mean", {8}, Role::kRunningMean, Op::kBatchNorm},
      {"norm.running_var", {8}, Role::kRunningVar, Op::kBatchNorm},
      {"fc.weight", {10, 8}, Role::kWeight, Op::kLinear},
  };
  const std::vector<ParameterSpec> all = parameters_of(g);
  ASSERT_EQ(all.size(), expected.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].name, expected[i].name);
    EXPECT_EQ(all[i].shape, expected[i].shape) << all[i].name;
    EXPECT_EQ(all[i].role, expected[i].role) << all[i].name;
    EXPECT_EQ(all[i].op, expected[i].op) << all[i].name;
  }
  EXPECT_TRUE(parameters_of(g, 0).empty());
  EXPECT_EQ(parameters_of(g, 1).size(), 2U);
  EXPECT_TRUE(parameters_of(g, 3).empty());
  EXPECT_EQ(parameters_of(g, x).front().shape, (Sizes{10, 8}));
  EXPECT_THROW(parameters_of(g, 6), std::out_of_range);
}

}  // namespace
}  // namespace lathe::graph
