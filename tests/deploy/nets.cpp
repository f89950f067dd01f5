#include "deploy/nets.h"

namespace lathe::testing {
namespace {

using graph::Activation;
using graph::Graph;
using graph::Shape;

Graph input_only() { return Graph({3, 4, 5}); }

Graph conv_map() {
  Graph g({4, 9, 7});
  g.conv(0, "conv", {.out_channels = 6, .kernel = 3, .stride = 2, .groups = 2, .bias = true});
  return g;
}

Graph dilated_depthwise() {
  Graph g({4, 9, 9});
  g.conv(0, "0.1.conv", {.out_channels = 8, .kernel = 5, .groups = 4, .dilation = 2});
  return g;
}

Graph batch_norm_with(double eps) {
  Graph g({5, 6, 6});
  g.batch_norm(0, "norm", eps);
  return g;
}

/// On maps, on a vector, and on the input.
Graph shifted() {
  Graph g({3, 6, 6});
  int x = g.conv(g.shift(0, "first"), "conv", {.out_channels = 5, .kernel = 3});
  x = g.global_avg_pool(g.shift(x, "on_map"));
  g.shift(g.linear(x, "fc", 4, false), "on_vector");
  return g;
}

Graph activated(Activation activation) {
  Graph g({3, 6, 6});
  // Inputs of many magnitudes, so that each piece of the function is met.
  const int scaled = g.conv(0, "scale", {.out_channels = 8, .kernel = 3, .bias = true});
  const int wider = g.conv(scaled, "wider", {.out_channels = 8, .kernel = 3});
  g.activation(wider, activation);
  return g;
}

Graph max_pooled(int kernel, int stride, int padding) {
  Graph g({3, 9, 8});
  g.max_pool(0, kernel, stride, padding);
  return g;
}

Graph avg_pooled(int size, int kernel, int stride, int padding, bool ceil_mode) {
  Graph g({3, size, size + 1});
  g.avg_pool(0, kernel, stride, padding, ceil_mode);
  return g;
}

Graph squeeze_excite() {
  Graph g({6, 7, 5});
  const int pooled = g.global_avg_pool(0);
  const int reduced = g.conv(pooled, "se.reduce", {.out_channels = 3, .bias = true});
  const int relu = g.activation(reduced, Activation::kRelu);
  const int expanded = g.conv(relu, "se.expand", {.out_channels = 6, .bias = true});
  g.mul(0, g.activation(expanded, Activation::kHSigmoid));
  return g;
}

/// A gate made of linear layers: vectors go back to maps, one of them for two readers.
Graph linear_gate() {
  Graph g({6, 7, 5});
  const int pooled = g.global_avg_pool(0);
  const int fc = g.linear(pooled, "fc", 6, true);
  const int gate = g.activation(fc, Activation::kHSigmoid);
  const int thinned = g.dropout(gate, 0.5);
  const int once = g.mul(0, gate);
  const int twice = g.mul(once, thinned);
  const int norm = g.batch_norm(gate, "norm", 1e-3);
  g.mul(twice, norm);
  return g;
}

Graph vectors() {
  Graph g({4, 3, 3});
  const int pooled = g.global_avg_pool(0);
  const int a = g.linear(pooled, "a", 5, true);
  const int b = g.linear(pooled, "b", 5, false);
  const int sum = g.add(g.activation(a, Activation::kRelu6), b);
  const int product = g.mul(sum, g.activation(b, Activation::kHSwish));
  const int joined = g.concat({product, a});
  const int mixed = g.concat({joined, pooled});
  g.linear(g.dropout(mixed, 0.2), "head", 7, true);
  return g;
}

Graph linear_on_input() {
  Graph g({12, 1, 1});
  g.linear(0, "fc", 3, false);
  return g;
}

Graph vector_without_linear() {
  Graph g({3, 4, 4});
  g.dropout(g.global_avg_pool(g.conv(0, "conv", {.out_channels = 5})), 0.1);
  return g;
}

Graph dropped_input() {
  Graph g({3, 4, 4});
  g.dropout(0, 0.3);
  return g;
}

Graph concatenated() {
  Graph g({3, 6, 6});
  const int a = g.conv(0, "a", {.out_channels = 4, .kernel = 3});
  const int b = g.conv(0, "b", {.out_channels = 2});
  g.add(g.concat({a, b, 0, a}), g.conv(0, "c", {.out_channels = 13}));
  return g;
}

Graph cropped(int offset) {
  Graph g({3, 5, 6});
  g.crop(0, offset);
  return g;
}

/// Halves the map without losing a pixel: every other one from two places (as cells do).
Graph factorized_reduce() {
  Graph g({3, 6, 8});
  const int x = g.activation(0, Activation::kRelu);
  const int even = g.conv(x, "conv_1", {.out_channels = 2, .stride = 2});
  const int odd = g.conv(g.crop(x, 1), "conv_2", {.out_channels = 3, .stride = 2});
  g.batch_norm(g.concat({even, odd}), "bn", 1e-5);
  return g;
}

/// As in the auxiliary head of a cell net; depthwise too, where our own kernel would pad.
Graph unpadded() {
  Graph g({4, 7, 8});
  const int x = g.conv(0, "even", {.out_channels = 6, .kernel = 2, .padding = 0});
  g.conv(x, "odd", {.out_channels = 6, .kernel = 3, .groups = 6, .padding = 0});
  return g;
}

/// A little of everything that mobile nets and ResNet-D have, in their order.
Graph mixed() {
  Graph g({3, 15, 15});
  int x = g.conv(0, "stem.conv", {.out_channels = 8, .kernel = 3, .stride = 2});
  x = g.activation(g.batch_norm(x, "stem.bn", 1e-5), Activation::kHSwish);
  x = g.max_pool(x, 3, 2, 1);
  int y = g.conv(x, "blocks.0.expand", {.out_channels = 16});
  y = g.activation(g.batch_norm(y, "blocks.0.expand_bn", 1e-5), Activation::kRelu6);
  y = g.conv(y, "blocks.0.depth", {.out_channels = 16, .kernel = 5, .groups = 16});
  y = g.activation(g.batch_norm(y, "blocks.0.depth_bn", 1e-3), Activation::kRelu);
  int gate = g.conv(g.global_avg_pool(y), "blocks.0.se", {.out_channels = 16, .bias = true});
  y = g.mul(y, g.activation(gate, Activation::kHSigmoid));
  y = g.batch_norm(g.conv(y, "blocks.0.project", {.out_channels = 8}), "blocks.0.bn", 1e-5);
  x = g.add(x, y);
  y = g.conv(x, "blocks.1.conv", {.out_channels = 12, .kernel = 3, .stride = 2});
  int shortcut = g.conv(g.avg_pool(x, 2, 2, 0, true), "blocks.1.short", {.out_channels = 12});
  x = g.activation(g.add(y, shortcut), Activation::kRelu);
  g.linear(g.dropout(g.global_avg_pool(x), 0.2), "classifier", 10, true);
  return g;
}

}  // namespace

std::vector<NamedGraph> small_graphs() {
  return {
      {"input_only", input_only()},
      {"conv_map", conv_map()},
      {"dilated_depthwise", dilated_depthwise()},
      {"batch_norm", batch_norm_with(1e-5)},
      {"batch_norm_large_eps", batch_norm_with(1.0)},
      {"shift", shifted()},
      {"relu", activated(Activation::kRelu)},
      {"relu6", activated(Activation::kRelu6)},
      {"hswish", activated(Activation::kHSwish)},
      {"hsigmoid", activated(Activation::kHSigmoid)},
      {"max_pool_3_2_1", max_pooled(3, 2, 1)},
      {"max_pool_2_2_0", max_pooled(2, 2, 0)},
      {"max_pool_3_1_1", max_pooled(3, 1, 1)},
      {"avg_pool_3_1_1", avg_pooled(8, 3, 1, 1, false)},
      {"avg_pool_3_2_1", avg_pooled(8, 3, 2, 1, false)},
      {"avg_pool_5_3_0", avg_pooled(11, 5, 3, 0, false)},
      {"avg_pool_2_2_0_ceil", avg_pooled(7, 2, 2, 0, true)},
      {"avg_pool_3_2_1_ceil", avg_pooled(8, 3, 2, 1, true)},
      // The last window would start in the padding, and is dropped.
      {"avg_pool_2_3_1_ceil", avg_pooled(6, 2, 3, 1, true)},
      {"squeeze_excite", squeeze_excite()},
      {"linear_gate", linear_gate()},
      {"vectors", vectors()},
      {"linear_on_input", linear_on_input()},
      {"vector_without_linear", vector_without_linear()},
      {"dropped_input", dropped_input()},
      {"concatenated", concatenated()},
      {"crop_0", cropped(0)},
      {"crop_2", cropped(2)},
      {"factorized_reduce", factorized_reduce()},
      {"unpadded", unpadded()},
      {"mixed", mixed()},
  };
}

}  // namespace lathe::testing
