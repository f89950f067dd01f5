// Sizes of a net, read off its graph.
#pragma once

#include <cstdint>

#include "lathe/graph/graph.h"

namespace lathe::graph {

/// Multiply-accumulates of the convolutions and linear layers for one image. FLOPs are twice that
/// and are not reported under this name.
std::int64_t macs(const Graph& graph);

/// Trainable parameters: batch-norm scale and shift count, running statistics don't.
std::int64_t params(const Graph& graph);

/// The most bytes of float32 activations alive at once, for one image, executing in order and
/// freeing a tensor after its last reader; batch norm, shift, activation and dropout work in place.
/// Weights are not counted.
std::int64_t peak_memory_bytes(const Graph& graph);

}  // namespace lathe::graph
