// A mobile space small enough to train and to compute by plain loops: every kind of layer, elastic
// kernels 3, 5 and 7, blocks with and without squeeze-excite and shortcut.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lathe/space/families/mobile_family.h"

namespace lathe::testing {

inline space::MobileSpec small_spec(const space::Task& task) {
  using graph::Activation;
  space::MobileSpec spec{.name = "small",
                         .task = task,
                         .stem_channels = 8,
                         .stem_stride = 1,
                         .first_channels = 8,
                         .head_channels = 24,
                         .feature_channels = 16,
                         .dropout = 0.1};
  spec.stages = {{.channels = 8,
                  .stride = 2,
                  .activation = Activation::kRelu,
                  .depths = {1, 2},
                  .kernels = {3, 5, 7},
                  .expansions = {2, 3}},
                 {.channels = 16,
                  .stride = 2,
                  .activation = Activation::kHSwish,
                  .squeeze_excite = true,
                  .depths = {1, 2, 3},
                  .kernels = {3, 5},
                  .expansions = {2, 4}}};
  return spec;
}

inline std::shared_ptr<const space::Space> small_space(
    const space::Task& task = {.in_channels = 2, .num_classes = 4, .input_size = 9}) {
  return space::make_mobile_space(small_spec(task));
}

}  // namespace lathe::testing
