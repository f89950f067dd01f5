// Which tensors' axes lie along the same channels: what has to move together when channels change
// places, and who reads them.
#pragma once

#include <string>
#include <vector>

#include "lathe/graph/graph.h"

namespace lathe::graph {

/// Dimension `dim` of the parameter `name`.
struct ParameterAxis {
  std::string name;
  int dim = 0;
  bool operator==(const ParameterAxis&) const = default;
};

/// Channels that several nodes share: those of a convolution's output, of the batch norm,
/// depthwise convolution, pooling and gate on it, and of everything that is added to it.
struct ChannelGroup {
  int channels = 0;
  /// Every axis along these channels, in execution order. Reordering all of them alike leaves the
  /// net's function as it is, if `movable`.
  std::vector<ParameterAxis> axes;
  /// Those of `axes` that are inputs of convolutions and linear layers which mix channels: what a
  /// channel is worth shows there. A reader of the channels' means alone (squeeze-and-excite's
  /// reducing layer) counts only where there is no other.
  std::vector<ParameterAxis> readers;
  /// False for the net's input and output, and where a concatenation or a grouped convolution
  /// depends on the order.
  bool movable = true;
};

/// The groups of a net, in the order of their first node. O(nodes).
std::vector<ChannelGroup> channel_groups(const Graph& graph);

}  // namespace lathe::graph
