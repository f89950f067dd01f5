// Folding of batch norm into the convolution before it, for inference.
#pragma once

#include "lathe/core/tensor_map.h"
#include "lathe/graph/graph.h"

namespace lathe::graph {

/// A net that can run: its graph, and a tensor for every parameter that the graph names.
struct Net {
  Graph graph;
  TensorMap weights;
};

/// The same function with each batch norm that directly follows a convolution, or a concatenation
/// of convolutions, folded into their weights and biases, where nothing else reads those; dropout,
/// and what the output doesn't depend on, is dropped. In double, so that outputs agree to float
/// rounding.
/// @throws std::invalid_argument as check_weights.
Net fold_batch_norm(const Net& net);

/// @throws std::invalid_argument naming the first parameter of `net.graph` that is missing from
/// `net.weights`, has another shape, or not as many values as its shape says.
void check_weights(const Net& net);

}  // namespace lathe::graph
