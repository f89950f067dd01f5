// Chains of layers with elastic widths: MobileNet-v1's space of AOWS (Berman et al., CVPR 2020),
// and residual chains, in which layers that are added share their width.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lathe/space/space.h"

namespace lathe::space {

enum class ChainLayerKind {
  kConv,       ///< convolution, batch norm, activation
  kSeparable,  ///< MobileNet-v1 layer: depthwise, 1x1, each with batch norm and activation
  kMbconv,     ///< inverted residual: expand, depthwise, project; the activation in the inner two
};

struct ChainLayer {
  /// Choices of the output channels, ascending. Empty for a layer that has the width of the one it
  /// is added to.
  std::vector<double> widths;
  int stride = 1;
  ChainLayerKind kind = ChainLayerKind::kSeparable;
  int kernel = 3;
  double expansion = 6;  ///< mbconv: inner channels as a multiple of the input's, rounded
  graph::Activation activation = graph::Activation::kRelu;
  int pool = 1;  ///< stride of a max pool 3x3 behind the layer; 1: none
  /// The earlier layer, counted from 0, whose output is added to this one's: after a convolution's
  /// batch norm and before its activation, after an mbconv. -1: none. The two are added as they are
  /// and share their width (`widths` is empty), or, where a convolution has widths of its own, the
  /// earlier passes a 1x1 convolution, of the strides between them, and a batch norm.
  int shortcut_from = -1;
};

/// Layout: the layers - global average pool and classifier.
struct ChainSpec {
  std::string name;
  Task task;
  std::vector<ChainLayer> layers;
};

/// Decisions: "widths", one per layer that has some, in their order. Slots: the edges of the chain,
/// in its order. Each layer's depends on the width before it and its own; a 1x1 convolution on a
/// shortcut is an edge of its own, before its layer's, that depends on the widths at its ends; the
/// last slot depends on the last width. No slot sees more than two decisions, so that cost tables
/// stay small; that a width is seen by slots far apart is for SlotChain to carry along. In a chain
/// of layers without pool and shortcut each slot is a single block, and the distinct blocks are the
/// latency model's variables.
/// @throws std::invalid_argument naming the layer if a stride, kernel or expansion is not as above,
/// widths aren't ascending from at least 1, or a shortcut doesn't fit: from no earlier layer, of a
/// separable layer, of an mbconv from another layer than the one before, or sharing its width over
/// a stride.
/// @see AOWS, section 3 and supplement D; Deep residual learning (He et al., CVPR 2016), figure 5,
/// for the layers of resnet18_widths. Differs in: the paper searches MobileNet-v1 alone.
std::unique_ptr<Space> make_chain_space(ChainSpec spec);

}  // namespace lathe::space
