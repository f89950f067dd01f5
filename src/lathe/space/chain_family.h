// Chains of layers with elastic widths: MobileNet-v1's space of AOWS (Berman et al., CVPR 2020).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lathe/space/space.h"

namespace lathe::space {

struct ChainLayer {
  std::vector<double> widths;  ///< choices of the output channels, ascending
  int stride = 1;
};

/// Layout: conv 3x3 (the first layer) - depthwise separable layers (the others) - global average
/// pool and classifier.
struct ChainSpec {
  std::string name;
  Task task;
  std::vector<ChainLayer> layers;
};

/// Decisions: "widths", one per layer. Slots: the edges of the chain. The first depends on the
/// first layer's width, each layer between on the width before it and its own, the last on the last
/// width; each is a single block, so that the distinct blocks are the latency model's variables.
/// @throws std::invalid_argument if there is no layer, or one without a stride, or whose widths
/// aren't ascending from at least 1.
/// @see AOWS, section 3 and supplement D.
std::unique_ptr<Space> make_chain_space(ChainSpec spec);

}  // namespace lathe::space
