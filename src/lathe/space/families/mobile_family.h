// Mobile inverted-residual nets with elastic kernel, expansion and depth: the spaces of
// MobileNetV3 and ProxylessNAS in Once-for-All (Cai et al., ICLR 2020), CompOFA (Sahni et al., ICLR
// 2021) and DepS (ECCV 2024). A concrete space is a MobileSpec; no code knows one by name.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lathe/space/space.h"

namespace lathe::space {

/// A run of blocks at one width, the first of which may reduce the resolution.
struct MobileStage {
  int channels = 0;
  int stride = 1;
  graph::Activation activation = graph::Activation::kRelu;
  bool squeeze_excite = false;
  std::vector<double> depths;      ///< choices of the number of blocks, ascending
  std::vector<double> kernels;     ///< choices of each block's depthwise kernel, ascending
  std::vector<double> expansions;  ///< choices of each block's mid / input channels, ascending
  /// Choose depth and expansion together, once for the stage (CompOFA): `depths[i]` goes with
  /// `expansions[i]`.
  bool expansion_follows_depth = false;
};

/// Layout: stem conv 3x3 - first block (expansion 1, kernel 3) - stages - 1x1 head conv - global
/// average pool - optional 1x1 feature conv without batch norm - classifier.
struct MobileSpec {
  std::string name;
  Task task;
  int stem_channels = 16;
  int stem_stride = 2;
  graph::Activation stem_activation = graph::Activation::kHSwish;
  int first_channels = 16;
  graph::Activation first_activation = graph::Activation::kRelu;
  bool first_residual = true;
  std::vector<MobileStage> stages;
  int head_channels = 960;
  int feature_channels = 1280;  ///< 0: no feature conv
  graph::Activation head_activation = graph::Activation::kHSwish;
  double batch_norm_eps = 1e-5;
  double dropout = 0.1;
  std::vector<double> resolutions;  ///< choices of the input size; empty: the task's
};

/// Decisions in order: "ks" of every block, "e" of every block, "d" of every stage, "r"; one with a
/// single choice is left out. A block's kernel and expansion are one gene.
/// @throws std::invalid_argument if a stage offers no depth, kernel or expansion, if its depths are
/// not ascending from at least 1, or if tied depths and expansions are not as many.
std::unique_ptr<Space> make_mobile_space(MobileSpec spec);

}  // namespace lathe::space
