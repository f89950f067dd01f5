// Sizes worked out by hand on nets of a few nodes.
#include "lathe/graph/counts.h"

#include <gtest/gtest.h>

namespace lathe::graph {
namespace {

constexpr std::int64_t kFloat = 4;  // bytes

TEST(Macs, CountsConvolutionsAndLinearLayersOnly) {
  Graph g({3, 8, 6});
  // 4x3 outputs of 16 channels, each 3 * 3 * 3 products; the bias is no product.
  int x = g.conv(0, "a", {.out_channels = 16, .kernel = 3, .stride = 2, .bias = true});
  EXPECT_EQ(macs(g), 12 * 16 * 27);
  x = g.batch_norm(x, "b", 1e-5);
  x = g.activation(x, Activation::kHSwish);
  x = g.conv(x, "c", {.out_channels = 16, .kernel = 5, .groups = 16});  // depthwise
  EXPECT_EQ(macs(g), 12 * 16 * 27 + 12 * 16 * 25);
  x = g.conv(x, "d", {.out_channels = 8, .kernel = 1, .groups = 4});
  EXPECT_EQ(macs(g), 12 * 16 * 27 + 12 * 16 * 25 + 12 * 8 * 4);
  x = g.linear(g.dropout(g.global_avg_pool(x), 0.1), "e", 10, true);
  EXPECT_EQ(macs(g), 12 * 16 * 27 + 12 * 16 * 25 + 12 * 8 * 4 + 80);
}

TEST(Macs, OfANetWithoutThemIsZero) {
  Graph g({3, 8, 8});
  g.max_pool(g.activation(0, Activation::kRelu), 2, 2, 0);
  EXPECT_EQ(macs(g), 0);
  EXPECT_EQ(params(g), 0);
}

TEST(Macs, DoesNotOverflowInt) {
  Graph g({4096, 512, 512});
  g.conv(0, "a", {.out_channels = 4096, .kernel = 3});
  EXPECT_EQ(macs(g), std::int64_t{512} * 512 * 4096 * 4096 * 9);
}

TEST(Params, CountsWhatIsTrainedAndNotTheStatistics) {
  Graph g({3, 8, 8});
  int x = g.conv(0, "a", {.out_channels = 16, .kernel = 3});
  EXPECT_EQ(params(g), 432);
  x = g.batch_norm(x, "b", 1e-5);
  EXPECT_EQ(params(g), 432 + 32);
  x = g.conv(x, "c", {.out_channels = 16, .kernel = 3, .groups = 16, .bias = true});
  EXPECT_EQ(params(g), 432 + 32 + 144 + 16);
  g.linear(g.global_avg_pool(x), "d", 10, true);
  EXPECT_EQ(params(g), 432 + 32 + 144 + 16 + 160 + 10);
}

TEST(PeakMemory, OfAnInputAlone) { EXPECT_EQ(peak_memory_bytes(Graph({3, 4, 5})), 60 * kFloat); }

TEST(PeakMemory, OfAChainIsItsLargestNeighbours) {
  Graph g({1, 4, 4});                                    // 16
  int x = g.conv(0, "a", {.out_channels = 4});           // 64
  x = g.conv(x, "b", {.out_channels = 2});               // 32
  x = g.conv(x, "c", {.out_channels = 5, .kernel = 3});  // 80
  g.conv(x, "d", {.out_channels = 1});                   // 16
  EXPECT_EQ(peak_memory_bytes(g), (32 + 80) * kFloat);
}

TEST(PeakMemory, InPlaceOperationsNeedNoSecondTensor) {
  Graph g({2, 4, 4});                           // 32
  int x = g.conv(0, "a", {.out_channels = 4});  // 64
  x = g.batch_norm(x, "b", 1e-5);
  x = g.activation(x, Activation::kRelu);
  x = g.dropout(x, 0.1);
  EXPECT_EQ(peak_memory_bytes(g), (32 + 64) * kFloat);
}

TEST(PeakMemory, AnActivationOfWhatIsReadLaterIsNotInPlace) {
  Graph g({1, 4, 4});                                 // 16
  const int x = g.conv(0, "a", {.out_channels = 4});  // 64
  const int y = g.activation(x, Activation::kRelu);   // 64 more: the sum still reads x
  g.add(x, y);                                        // and 64 for the sum
  EXPECT_EQ(peak_memory_bytes(g), 3 * 64 * kFloat);
}

TEST(PeakMemory, AnEarlierReaderDoesNotHinderTheLastFromWorkingInPlace) {
  Graph g({4, 4, 4});                                // 64
  const int half = g.max_pool(0, 2, 2, 0);           // 16
  const int y = g.activation(0, Activation::kRelu);  // in place: the pool is done
  g.add(g.max_pool(y, 2, 2, 0), half);               // 16: pooled, 16: sum
  EXPECT_EQ(peak_memory_bytes(g), (64 + 16 + 16) * kFloat);
}

TEST(PeakMemory, AResidualKeepsTheShortcutAlive) {
  Graph g({2, 4, 4});                           // 32: alive until the sum
  int y = g.conv(0, "a", {.out_channels = 6});  // 96
  y = g.activation(g.batch_norm(y, "b", 1e-5), Activation::kRelu);
  y = g.conv(y, "c", {.out_channels = 6, .kernel = 3, .groups = 6});  // 96
  y = g.conv(y, "d", {.out_channels = 2});                            // 32
  g.add(y, 0);
  // The peak is at c: the shortcut, c's input and c's output.
  EXPECT_EQ(peak_memory_bytes(g), (32 + 96 + 96) * kFloat);
}

TEST(PeakMemory, SqueezeExciteHoldsTheMapWhileTheGateIsMade) {
  Graph g({8, 4, 4});                                            // 128
  int gate = g.global_avg_pool(0);                               // 8
  gate = g.conv(gate, "a", {.out_channels = 16, .bias = true});  // 16
  gate = g.activation(gate, Activation::kRelu);
  gate = g.conv(gate, "b", {.out_channels = 8, .bias = true});  // 8
  gate = g.activation(gate, Activation::kHSigmoid);
  EXPECT_EQ(peak_memory_bytes(g), (128 + 8) * kFloat) << "the map is freed once it is pooled";
  g.mul(0, gate);  // 128 more
  EXPECT_EQ(peak_memory_bytes(g), (128 + 8 + 128) * kFloat);
}

TEST(PeakMemory, ConcatReadsOneTensorTwiceButStoresItOnce) {
  Graph g({2, 3, 3});  // 18
  g.concat({0, 0});    // 36
  EXPECT_EQ(peak_memory_bytes(g), (18 + 36) * kFloat);
}

TEST(PeakMemory, WhatNobodyReadsIsFreedAtOnce) {
  Graph g({1, 2, 2});                       // 4
  g.conv(0, "dead", {.out_channels = 10});  // 40, freed
  g.conv(0, "a", {.out_channels = 3});      // 12
  EXPECT_EQ(peak_memory_bytes(g), (4 + 40) * kFloat);
}

}  // namespace
}  // namespace lathe::graph
