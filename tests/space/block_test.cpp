// Keys that tell computations apart, and what a block becomes in the graph.
#include "lathe/space/block.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/graph/counts.h"
#include "naive_executor.h"
#include "net_fixtures.h"

namespace lathe::space {
namespace {

using graph::Activation;
using graph::Graph;
using graph::Op;

Block mbconv_block() {
  return {.kind = BlockKind::kMbconv,
          .name = "a",
          .input = {24, 14, 14},
          .output = {40, 7, 7},
          .kernel = 5,
          .stride = 2,
          .mid_channels = 96,
          .squeeze_excite = true,
          .activation = Activation::kHSwish};
}

Block conv_block() {
  return {.kind = BlockKind::kConv,
          .name = "c",
          .input = {3, 8, 8},
          .output = {16, 4, 4},
          .kernel = 3,
          .stride = 2,
          .activation = Activation::kRelu};
}

Block bottleneck_block() {
  return {.kind = BlockKind::kBottleneck,
          .name = "b",
          .input = {16, 7, 7},
          .output = {32, 4, 4},
          .kernel = 3,
          .stride = 2,
          .mid_channels = 8,
          .activation = Activation::kRelu};
}

Block max_pool_block() {
  return {.kind = BlockKind::kMaxPool,
          .name = "p",
          .input = {4, 7, 7},
          .output = {4, 4, 4},
          .kernel = 3,
          .stride = 2};
}

Block classifier_block() {
  return {.kind = BlockKind::kClassifier, .name = "l", .input = {8, 1, 1}, .output = {10, 1, 1}};
}

Block changed(Block block, const std::function<void(Block&)>& change) {
  change(block);
  return block;
}

TEST(BlockKey, IsReadable) {
  EXPECT_EQ(mbconv_block().key(), "mbconv 14x14x24 -> 7x7x40 mid 96 k5 s2 se h_swish");
  EXPECT_EQ(conv_block().key(), "conv 8x8x3 -> 4x4x16 k3 s2 relu");
  EXPECT_EQ(bottleneck_block().key(), "bottleneck 7x7x16 -> 4x4x32 mid 8 k3 s2 relu");
  EXPECT_EQ(max_pool_block().key(), "max_pool 7x7x4 -> 4x4x4 k3 s2");
  EXPECT_EQ(classifier_block().key(), "classifier 1x1x8 -> 1x1x10");
  EXPECT_EQ((Block{.kind = BlockKind::kGlobalPool, .input = {8, 7, 7}, .output = {8, 1, 1}}).key(),
            "global_pool 7x7x8 -> 1x1x8");
  EXPECT_EQ(changed(conv_block(), [](Block& b) { b.batch_norm = false; }).key(),
            "conv 8x8x3 -> 4x4x16 k3 s2 no_bn relu");
}

TEST(BlockKey, DoesNotDependOnTheNameOrOnWhatCostsNothing) {
  const Block block = mbconv_block();
  EXPECT_EQ(changed(block, [](Block& b) { b.name = "z"; }).key(), block.key());
  EXPECT_EQ(changed(block, [](Block& b) { b.batch_norm_eps = 1e-3; }).key(), block.key());
  const Block classifier = classifier_block();
  EXPECT_EQ(changed(classifier, [](Block& b) { b.dropout = 0.2; }).key(), classifier.key());
}

TEST(BlockKey, DiffersWithEverythingElse) {
  const Block square = {.kind = BlockKind::kConv,
                        .name = "c",
                        .input = {16, 8, 8},
                        .output = {16, 8, 8},
                        .kernel = 3,
                        .activation = Activation::kRelu};
  std::vector<Block> blocks{mbconv_block(), conv_block(),     bottleneck_block(),
                            square,         max_pool_block(), classifier_block()};
  const auto add = [&](const Block& block, const std::function<void(Block&)>& change) {
    blocks.push_back(changed(block, change));
  };
  add(mbconv_block(), [](Block& b) { b.input = {24, 13, 13}; });
  add(mbconv_block(), [](Block& b) { b.input.channels = 32; });
  add(mbconv_block(), [](Block& b) { b.output.channels = 48; });
  add(mbconv_block(), [](Block& b) { b.output = {40, 14, 14}; });
  add(mbconv_block(), [](Block& b) { b.kernel = 7; });
  add(mbconv_block(), [](Block& b) { b.stride = 1; });
  add(mbconv_block(), [](Block& b) { b.mid_channels = 144; });
  add(mbconv_block(), [](Block& b) { b.squeeze_excite = false; });
  add(mbconv_block(), [](Block& b) { b.residual = true; });
  for (Activation activation :
       {Activation::kNone, Activation::kRelu, Activation::kRelu6, Activation::kHSigmoid}) {
    add(mbconv_block(), [=](Block& b) { b.activation = activation; });
  }
  add(square, [](Block& b) { b.kind = BlockKind::kResidualConv; });
  add(square, [](Block& b) { b.batch_norm = false; });
  add(square, [](Block& b) {
    b.kind = BlockKind::kResidualConv;
    b.batch_norm = false;
  });
  add(bottleneck_block(), [](Block& b) { b.residual = true; });
  std::set<std::string> keys;
  for (const Block& block : blocks) {
    EXPECT_TRUE(keys.insert(block.key()).second) << block.key();
  }
}

std::vector<Op> ops_of(const Graph& g) {
  std::vector<Op> ops;
  for (const graph::Node& node : g.nodes()) {
    ops.push_back(node.op);
  }
  return ops;
}

std::vector<std::string> names_of(const Graph& g) {
  std::vector<std::string> names;
  for (const graph::Node& node : g.nodes()) {
    if (!node.name.empty()) {
      names.push_back(node.name);
    }
  }
  return names;
}

TEST(Lower, Mbconv) {
  const Graph g = lower(std::vector<Block>{mbconv_block()});
  EXPECT_EQ(names_of(g), (std::vector<std::string>{
                             "a.expand.conv", "a.expand.bn", "a.depthwise.conv", "a.depthwise.bn",
                             "a.se.reduce", "a.se.expand", "a.project.conv", "a.project.bn"}));
  // Expansion, depthwise, squeeze-excite (24 = 96 / 4 inner channels) and projection.
  EXPECT_EQ(graph::macs(g), 196 * 24 * 96 + 49 * 96 * 25 + 2 * 96 * 24 + 49 * 96 * 40);
  EXPECT_EQ(graph::params(g), 24 * 96 + 2 * 96 + 96 * 25 + 2 * 96 + (96 * 24 + 24) +
                                  (24 * 96 + 96) + 96 * 40 + 2 * 40);
}

TEST(Lower, MbconvActivations) {
  const Graph g = lower(std::vector<Block>{mbconv_block()});
  std::vector<Activation> activations;
  for (const graph::Node& node : g.nodes()) {
    if (node.op == Op::kActivation) {
      activations.push_back(node.activation);
    }
  }
  EXPECT_EQ(activations, (std::vector<Activation>{Activation::kHSwish, Activation::kHSwish,
                                                  Activation::kRelu, Activation::kHSigmoid}));
  EXPECT_NE(g.nodes().back().op, Op::kActivation) << "the projection is linear";
}

TEST(Lower, MbconvOfRatioOneHasNoExpansionAndAddsItsInput) {
  const Block block{.kind = BlockKind::kMbconv,
                    .name = "a",
                    .input = {8, 4, 4},
                    .output = {8, 4, 4},
                    .kernel = 3,
                    .mid_channels = 8,
                    .residual = true,
                    .activation = Activation::kRelu,
                    .batch_norm_eps = 1e-3};
  const Graph g = lower(std::vector<Block>{block});
  EXPECT_EQ(ops_of(g), (std::vector<Op>{Op::kInput, Op::kConv, Op::kBatchNorm, Op::kActivation,
                                        Op::kConv, Op::kBatchNorm, Op::kAdd}));
  EXPECT_EQ(g[2].eps, 1e-3);
  EXPECT_EQ(g.nodes().back().inputs, (std::vector<int>{5, 0}));
}

TEST(Lower, ConvWithAndWithoutBatchNormAndShortcut) {
  const Graph plain = lower(std::vector<Block>{conv_block()});
  EXPECT_EQ(ops_of(plain),
            (std::vector<Op>{Op::kInput, Op::kConv, Op::kBatchNorm, Op::kActivation}));
  Block block = conv_block();
  block.batch_norm = false;
  const Graph bare = lower(std::vector<Block>{block});
  EXPECT_EQ(ops_of(bare), (std::vector<Op>{Op::kInput, Op::kConv, Op::kActivation}));
  EXPECT_FALSE(bare[1].bias);
  block = {.kind = BlockKind::kResidualConv,
           .name = "c",
           .input = {8, 4, 4},
           .output = {8, 4, 4},
           .kernel = 3,
           .activation = Activation::kRelu};
  const Graph residual = lower(std::vector<Block>{block});
  EXPECT_EQ(ops_of(residual),
            (std::vector<Op>{Op::kInput, Op::kConv, Op::kBatchNorm, Op::kActivation, Op::kAdd}));
}

TEST(Lower, BottleneckPoolsItsShortcutWhereItStrides) {
  const Graph strided = lower(std::vector<Block>{bottleneck_block()});
  int pools = 0;
  for (const graph::Node& node : strided.nodes()) {
    if (node.op == Op::kAvgPool) {
      ++pools;
      EXPECT_EQ(node.kernel, 2);
      EXPECT_EQ(node.stride, 2);
      EXPECT_TRUE(node.ceil_mode);
    }
  }
  EXPECT_EQ(pools, 1);
  EXPECT_EQ(names_of(strided).back(), "b.shortcut.bn");
  EXPECT_EQ(graph::macs(strided), 49 * 16 * 8 + 16 * 8 * 8 * 9 + 16 * 8 * 32 + 16 * 16 * 32);
  EXPECT_EQ(strided.nodes().back().op, Op::kActivation);

  const Block inner = changed(bottleneck_block(), [](Block& b) {
    b.input = b.output = {32, 4, 4};
    b.stride = 1;
    b.residual = true;
  });
  const Graph residual = lower(std::vector<Block>{inner});
  EXPECT_EQ(names_of(residual).size(), 6U);
  EXPECT_EQ(residual[residual.size() - 2].inputs.back(), 0);
}

TEST(Lower, AFactorizedReductionReadsEveryOtherPixelFromTwoPlaces) {
  const Block block{.kind = BlockKind::kFactorizedReduce,
                    .name = "f",
                    .input = {1, 4, 4},
                    .output = {2, 2, 2},
                    .stride = 2};
  TensorMap weights{
      {"f.even.weight", {{1, 1, 1, 1}, {1}}}, {"f.odd.weight", {{1, 1, 1, 1}, {10}}},
      {"f.bn.weight", {{2}, {1, 1}}},         {"f.bn.bias", {{2}, {0, 0}}},
      {"f.bn.running_mean", {{2}, {0, 1}}},   {"f.bn.running_var", {{2}, {1 - 1e-5F, 1 - 1e-5F}}}};
  const std::vector<double> image{1, 2, 3, 4, 5, 6, -7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  const std::vector<double> out =
      testing::execute_naively(graph::Net{lower({&block, 1}), weights}, image);
  const std::vector<double> expected{1, 3, 9, 11, 59, 79, 139, 159};
  ASSERT_EQ(out.size(), expected.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    EXPECT_NEAR(out[i], expected[i], 1e-4);
  }
}

TEST(Lower, ConvolutionsOfCells) {
  const auto ops = [](const Block& block) {
    std::string text;
    const Graph g = lower({&block, 1});
    for (const graph::Node& node : g.nodes()) {
      if (node.op == Op::kActivation) {
        text += "relu ";
      } else if (node.op == Op::kConv) {
        text += (node.groups > 1 ? "dw" : "conv") + std::to_string(node.kernel) + "/" +
                std::to_string(node.stride) + "d" + std::to_string(node.dilation) + " ";
      } else if (node.op == Op::kBatchNorm) {
        text += "bn ";
      } else if (node.op != Op::kInput) {
        text += "? ";
      }
    }
    return text;
  };
  Block block{.kind = BlockKind::kSepConv,
              .name = "s",
              .input = {4, 8, 8},
              .output = {4, 4, 4},
              .kernel = 5,
              .stride = 2};
  EXPECT_EQ(ops(block), "relu dw5/2d1 conv1/1d1 bn relu dw5/1d1 conv1/1d1 bn ");
  block.kind = BlockKind::kDilConv;
  EXPECT_EQ(ops(block), "relu dw5/2d2 conv1/1d1 bn ");
  EXPECT_EQ(lower({&block, 1})[2].padding, 4);
  block.kind = BlockKind::kReluConv;
  EXPECT_EQ(ops(block), "relu conv5/2d1 bn ");
}

TEST(Lower, ACellSumAloneAddsItsInputToItself) {
  const Block block{
      .kind = BlockKind::kCellSum, .name = "s", .input = {1, 1, 2}, .output = {4, 1, 2}};
  EXPECT_EQ(testing::execute_naively(graph::Net{lower({&block, 1}), {}}, std::vector<double>{1, 2}),
            (std::vector<double>{2, 4, 2, 4, 2, 4, 2, 4}));
}

TEST(Lower, AnAuxiliaryHeadEndsInLogits) {
  Block block{.kind = BlockKind::kAuxiliaryHead,
              .name = "a",
              .input = {16, 8, 8},
              .output = {10, 1, 1},
              .stride = 3};
  const std::int64_t with_norm = graph::params(lower({&block, 1}));
  EXPECT_EQ(with_norm, 16 * 128 + 256 + 128 * 768 * 4 + 1536 + 7690);
  block.batch_norm = false;
  EXPECT_EQ(graph::params(lower({&block, 1})), with_norm - 1536);
}

TEST(Lower, ChainsBlocksAndRuns) {
  const std::vector<Block> net{
      conv_block(),
      {.kind = BlockKind::kMaxPool,
       .name = "p",
       .input = {16, 4, 4},
       .output = {16, 2, 2},
       .kernel = 3,
       .stride = 2},
      {.kind = BlockKind::kGlobalPool, .name = "g", .input = {16, 2, 2}, .output = {16, 1, 1}},
      {.kind = BlockKind::kClassifier,
       .name = "l",
       .input = {16, 1, 1},
       .output = {10, 1, 1},
       .dropout = 0.2}};
  const Graph g = lower(net);
  EXPECT_EQ(ops_of(g),
            (std::vector<Op>{Op::kInput, Op::kConv, Op::kBatchNorm, Op::kActivation, Op::kMaxPool,
                             Op::kGlobalAvgPool, Op::kDropout, Op::kLinear}));
  Rng rng(1);
  const FloatTensor out = lathe::testing::execute_naively(
      lathe::testing::random_net(g, rng), lathe::testing::random_input({3, 8, 8}, 2, rng));
  EXPECT_EQ(out.shape, (std::vector<std::int64_t>{2, 10}));
  EXPECT_EQ(ops_of(lower(std::vector<Block>{classifier_block()})),
            (std::vector<Op>{Op::kInput, Op::kLinear}))
      << "no dropout of rate 0";
}

std::string refusal(const std::vector<Block>& net) {
  return lathe::testing::text_thrown<std::invalid_argument>([&] { lower(net); });
}

TEST(Lower, Refusals) {
  EXPECT_EQ(refusal({}), "[space::lower] a net needs at least one block");
  Block late = max_pool_block();
  EXPECT_EQ(refusal({conv_block(), late}), "[space::lower] p expects input 7x7x4, got 4x4x16");
  late.output = {4, 3, 3};
  EXPECT_EQ(refusal({late}), "[space::lower] p promises output 3x3x4, gives 4x4x4");
  EXPECT_EQ(refusal({changed(bottleneck_block(), [](Block& b) { b.residual = true; })}),
            "[graph::add] shapes differ: 32x4x4 and 16x7x7");
}

}  // namespace
}  // namespace lathe::space
