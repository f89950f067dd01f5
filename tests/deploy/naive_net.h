// What a net computes, by its definition: plain loops in double over the graph. Slow.
#pragma once

#include "lathe/core/tensor_map.h"
#include "lathe/graph/fold.h"

namespace lathe::testing {

/// input: [N, C, H, W]. Returns [N, C] if the net ends in a vector, [N, C, H, W] otherwise.
FloatTensor naive_forward(const graph::Net& net, const FloatTensor& input);

}  // namespace lathe::testing
