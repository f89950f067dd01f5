// A space of nets so small that a file of one's weights is an input that a fuzzer can think of.
#pragma once

#include "lathe/space/families/chain_family.h"

namespace lathe::testing {

inline space::ChainSpec small_chain() {
  return {.name = "small",
          .task = {.in_channels = 1, .num_classes = 2, .input_size = 4},
          .layers = {{.widths = {1, 2}, .kind = space::ChainLayerKind::kConv},
                     {.widths = {1, 2, 3}, .stride = 2}}};
}

}  // namespace lathe::testing
