// The unit that latency is counted in: between a whole net and a single operation.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "lathe/graph/graph.h"

namespace lathe::space {

enum class BlockKind {
  kConv,           ///< convolution, batch norm (unless `!batch_norm`), activation
  kResidualConv,   ///< the same with an identity shortcut around it
  kSeparableConv,  ///< MobileNet-v1 layer (depthwise, 1x1, each with batch norm and activation)
  kMbconv,         ///< MobileNet inverted residual (expand, depthwise, SE, project)
  kBottleneck,     ///< ResNet-D bottleneck (1x1, 3x3, 1x1, average-pooled shortcut)
  kMaxPool,        ///< kernel / 2 of padding, as kAvgPool
  kAvgPool,        ///< padding is not counted in the mean
  kGlobalPool,
  kClassifier,   ///< global average pool (unless the input is a vector), dropout and linear
  kShortcutSum,  ///< the sum of two maps, and an activation; the input is one of them
  // Of cells (DARTS); each convolution after a ReLU and before a batch norm.
  kReluConv,
  kFactorizedReduce,  ///< two 1x1 convolutions of stride 2, of the map and of the map from pixel 1
  kSepConv,           ///< twice depthwise and 1x1, the stride in the first
  kDilConv,           ///< depthwise of dilation 2 and 1x1
  kCellSum,           ///< the sums of a cell's nodes and their concatenation; the input is a node
  kAuxiliaryHead,     ///< average pool 5x5, 1x1, 2x2, linear; `!batch_norm`: none after the 2x2
};

/// All that the time and the size of a block depend on, and the name of its parameters.
struct Block {
  BlockKind kind = BlockKind::kConv;
  std::string name;  ///< prefix of its parameters; the same in every net of a space
  graph::Shape input;
  graph::Shape output;
  int kernel = 1;
  int stride = 1;
  int mid_channels = 0;  ///< mbconv and bottleneck: channels of the inner convolution
  bool squeeze_excite = false;
  bool residual = false;   ///< mbconv: identity shortcut
  bool batch_norm = true;  ///< conv, residual conv and auxiliary head only
  graph::Activation activation = graph::Activation::kNone;
  double batch_norm_eps = 1e-5;
  double dropout = 0.0;  ///< classifier

  /// Equal for two blocks exactly if they do the same computation, wherever they stand. The key
  /// of latency tables: `mbconv 14x14x24 -> 7x7x40 mid 96 k5 s2 se h_swish`. Weights, the batch
  /// norm's epsilon and dropout are no part of it.
  std::string key() const;
  bool operator==(const Block&) const = default;
};

/// Appends one block that reads node `from`; gives the index of its output.
/// @throws std::invalid_argument if that node's shape is not the block's input, or the block's
/// output is not the one it gives.
int lower_onto(graph::Graph& graph, int from, const Block& block);

/// The net that runs `blocks` one after the other.
/// @throws std::invalid_argument if a block's input is not the one before's output.
graph::Graph lower(std::span<const Block> blocks);

}  // namespace lathe::space
