#include "lathe/graph/input_size.h"

#include <stdexcept>
#include <string>

namespace lathe::graph {
namespace {

/// Appends `node` of another graph, whose inputs are there under the same indices, with the shape
/// that follows from theirs.
void append_again(const Node& node, Graph& graph) {
  const int from = node.inputs.empty() ? -1 : node.inputs.front();
  switch (node.op) {
    case Op::kInput:
      throw std::invalid_argument("[graph::with_input_size] a graph has one input, at the front");
    case Op::kConv:
      graph.conv(from, node.name,
                 {.out_channels = node.shape.channels,
                  .kernel = node.kernel,
                  .stride = node.stride,
                  .groups = node.groups,
                  .dilation = node.dilation,
                  .bias = node.bias,
                  .padding = node.padding});
      return;
    case Op::kBatchNorm:
      graph.batch_norm(from, node.name, node.eps, node.affine);
      return;
    case Op::kShift:
      graph.shift(from, node.name);
      return;
    case Op::kActivation:
      graph.activation(from, node.activation);
      return;
    case Op::kMaxPool:
      graph.max_pool(from, node.kernel, node.stride, node.padding);
      return;
    case Op::kAvgPool:
      graph.avg_pool(from, node.kernel, node.stride, node.padding, node.ceil_mode);
      return;
    case Op::kGlobalAvgPool:
      graph.global_avg_pool(from);
      return;
    case Op::kDropout:
      graph.dropout(from, node.rate);
      return;
    case Op::kLinear:
      graph.linear(from, node.name, node.shape.channels, node.bias);
      return;
    case Op::kAdd:
      graph.add(from, node.inputs.at(1));
      return;
    case Op::kMul:
      graph.mul(from, node.inputs.at(1));
      return;
    case Op::kConcat:
      graph.concat(node.inputs);
      return;
    case Op::kCrop:
      graph.crop(from, node.offset);
      return;
    case Op::kSlice:
      graph.slice(from, node.offset, node.shape.channels);
      return;
    case Op::kShuffle:
      graph.shuffle(from, node.groups);
      return;
    case Op::kMixedSum:
      graph.mixed_sum(node.inputs, node.name);
      return;
    case Op::kDropPath:
      graph.drop_path(from);
      return;
  }
}

}  // namespace

Graph with_input_size(const Graph& graph, int side) {
  Graph result({graph.input_shape().channels, side, side});
  for (int i = 1; i < graph.size(); ++i) {
    append_again(graph[i], result);
  }
  if (result.output_shape() != graph.output_shape()) {
    throw std::invalid_argument("[graph::with_input_size] on images of " + std::to_string(side) +
                                " pixels the output has another shape: the net doesn't end in a "
                                "global pool");
  }
  return result;
}

}  // namespace lathe::graph
