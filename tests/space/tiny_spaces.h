// Spaces small enough to list every arch of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "lathe/space/families/bottleneck_family.h"
#include "lathe/space/families/chain_family.h"
#include "lathe/space/families/mobile_family.h"

namespace lathe::testing {

/// Two stages of 1 or 2 and of 2 or 3 blocks; kernels 3 and 5; expansions 2 and 3 (the second
/// stage's fixed at 2); inputs of 12 and 16. 10 decisions, 1024 archs.
inline space::MobileSpec tiny_mobile() {
  using graph::Activation;
  return {.name = "tiny_mobile",
          .task = {.in_channels = 2, .num_classes = 4, .input_size = 16},
          .stem_channels = 8,
          .first_channels = 8,
          .stages = {{.channels = 16,
                      .stride = 2,
                      .activation = Activation::kRelu,
                      .depths = {1, 2},
                      .kernels = {3, 5},
                      .expansions = {2, 3}},
                     {.channels = 16,
                      .stride = 1,
                      .activation = Activation::kHSwish,
                      .squeeze_excite = true,
                      .depths = {2, 3},
                      .kernels = {3, 5},
                      .expansions = {2}}},
          .head_channels = 24,
          .feature_channels = 32,
          .resolutions = {12, 16}};
}

/// Depth and expansion tied, so that the second and third blocks never have the first expansion.
inline space::MobileSpec tiny_tied_mobile() {
  space::MobileSpec spec = tiny_mobile();
  spec.name = "tiny_tied_mobile";
  spec.stages = {{.channels = 16,
                  .stride = 2,
                  .depths = {1, 2, 3},
                  .kernels = {3, 5},
                  .expansions = {2, 3, 4},
                  .expansion_follows_depth = true}};
  return spec;
}

/// Two stages of 1 or 2 blocks. 11 decisions, 2048 archs.
inline space::BottleneckSpec tiny_bottleneck() {
  return {.name = "tiny_bottleneck",
          .task = {.in_channels = 3, .num_classes = 5, .input_size = 32},
          .stem_channels = 32,
          .stages = {{.channels = 64, .stride = 1, .base_depth = 1},
                     {.channels = 128, .stride = 2, .base_depth = 1}},
          .extra_depths = {0, 1},
          .expansions = {0.25, 0.5},
          .widths = {0.5, 1.0},
          .resolutions = {}};
}

/// A convolution, a basic block, one with a stride and a 1x1 convolution on its shortcut, and an
/// inverted residual that is added to it. 6 decisions, 96 archs.
inline space::ChainSpec tiny_residual_chain() {
  using space::ChainLayerKind;
  return {.name = "tiny_residual_chain",
          .task = {.in_channels = 2, .num_classes = 5, .input_size = 18},
          .layers = {{.widths = {4, 6, 8}, .kind = ChainLayerKind::kConv, .pool = 2},
                     {.widths = {4, 8}, .kind = ChainLayerKind::kConv},
                     {.kind = ChainLayerKind::kConv, .shortcut_from = 0},
                     {.widths = {6, 8}, .stride = 2, .kind = ChainLayerKind::kConv},
                     {.widths = {4, 12}, .kind = ChainLayerKind::kConv, .shortcut_from = 2},
                     {.kind = ChainLayerKind::kMbconv, .expansion = 2, .shortcut_from = 4},
                     {.widths = {8, 16}, .stride = 2, .kind = ChainLayerKind::kSeparable},
                     {.widths = {8, 10}, .kind = ChainLayerKind::kMbconv, .kernel = 5}}};
}

/// One of each.
inline std::vector<std::unique_ptr<space::Space>> tiny_spaces() {
  std::vector<std::unique_ptr<space::Space>> spaces;
  spaces.push_back(space::make_mobile_space(tiny_mobile()));
  spaces.push_back(space::make_mobile_space(tiny_tied_mobile()));
  spaces.push_back(space::make_bottleneck_space(tiny_bottleneck()));
  spaces.push_back(space::make_chain_space(tiny_residual_chain()));
  return spaces;
}

/// All combinations of choices, dead decisions included.
inline std::vector<space::Arch> every_arch(const space::Space& space) {
  std::vector<space::Arch> all;
  space::Arch arch = space.smallest();
  while (true) {
    all.push_back(arch);
    std::size_t i = 0;
    while (i < arch.choices.size() && arch.choices[i] + 1 == space.decisions()[i].num_choices()) {
      arch.choices[i++] = 0;
    }
    if (i == arch.choices.size()) {
      return all;
    }
    ++arch.choices[i];
  }
}

inline std::set<std::string> keys_of(const std::vector<space::Block>& blocks) {
  std::set<std::string> keys;
  for (const space::Block& block : blocks) {
    keys.insert(block.key());
  }
  return keys;
}

/// What the net computes, as text: the keys of its blocks in order.
inline std::string net_key(const std::vector<space::Block>& blocks) {
  std::string text;
  for (const space::Block& block : blocks) {
    text += block.key() + '\n';
  }
  return text;
}

}  // namespace lathe::testing
