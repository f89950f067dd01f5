// ResNet-D bottleneck nets with elastic depth, expansion and width: the ResNet50 space of
// Once-for-All's second release.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lathe/space/space.h"

namespace lathe::space {

struct BottleneckStage {
  int channels = 0;  ///< of the output, at width 1.0
  int stride = 1;
  int base_depth = 2;  ///< blocks, to which the depth choice adds
};

/// Layout: stem conv 3x3 s2 - optional residual conv 3x3 - conv 3x3 - max pool 3 s2 - stages -
/// global average pool - classifier. Mid channels are a share of the *output* channels.
struct BottleneckSpec {
  std::string name;
  Task task;
  int stem_channels = 64;  ///< at width 1.0; the first stem convs have half of it
  std::vector<BottleneckStage> stages;
  std::vector<double> extra_depths;  ///< per stage, ascending
  std::vector<double> expansions;    ///< per block, ascending
  std::vector<double> widths;        ///< of the two stem widths and of each stage, ascending
  double dropout = 0.0;
  std::vector<double> resolutions;  ///< choices of the input size; empty: the task's
};

/// Decisions in order: "d" (first {0, 2}: 2 keeps the stem's residual conv; then one per stage),
/// "e" of every block, "w" (stem mid, stem out, each stage), "r".
/// @throws std::invalid_argument if there is no stage, no choice of extra depth, expansion or
/// width, or a stage without channels, stride or a block at its shallowest.
std::unique_ptr<Space> make_bottleneck_space(BottleneckSpec spec);

}  // namespace lathe::space
