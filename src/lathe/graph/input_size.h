// A net as it is, on images of another size.
#pragma once

#include "lathe/graph/graph.h"

namespace lathe::graph {

/// The same nodes with the same parameters on an input of `side` x `side` pixels: what a net that
/// ends in a global pool is on smaller images.
/// @throws std::invalid_argument if a layer doesn't fit its smaller map, or the output isn't of the
/// same shape.
Graph with_input_size(const Graph& graph, int side);

}  // namespace lathe::graph
