// Activations by name, in files and in the keys of blocks.
#pragma once

#include <array>

#include "lathe/graph/graph.h"

namespace lathe::graph {

inline constexpr std::array kActivations{Activation::kNone, Activation::kRelu, Activation::kRelu6,
                                         Activation::kHSwish, Activation::kHSigmoid};

/// `none`, `relu`, `relu6`, `h_swish` or `h_sigmoid`.
const char* activation_name(Activation activation);

}  // namespace lathe::graph
