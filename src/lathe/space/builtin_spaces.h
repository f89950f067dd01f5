// The spaces that come with Lathe, by name.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lathe/space/families/bottleneck_family.h"
#include "lathe/space/families/cell_family.h"
#include "lathe/space/families/chain_family.h"
#include "lathe/space/families/mobile_family.h"
#include "lathe/space/space.h"

namespace lathe::space {

struct TaskOverrides {
  std::optional<int> in_channels;
  std::optional<int> num_classes;
  std::optional<int> input_size;  ///< the only one: there is no choice of a resolution left
  std::vector<int> resolutions;   ///< the space's own to choose from; empty: all of them
  // Of cell spaces alone:
  std::optional<CellStem> stem;  ///< with its published channels, cells and task
  std::optional<int> init_channels;
  std::optional<int> cells;
  bool auxiliary = false;
};

/// A concrete space is data given to a family.
using SpaceSpec = std::variant<MobileSpec, BottleneckSpec, ChainSpec>;

/// @throws std::invalid_argument as the family's maker.
std::unique_ptr<Space> make_space_from_spec(SpaceSpec spec, const TaskOverrides& overrides = {});

/// A built-in space for a task; what is not overridden is as published (mbv3_28: 1 channel, 10
/// classes, 28x28; darts: 3 channels, 10 classes, 32x32; the others 3 channels, 1000 classes,
/// 224x224). The name, and the arch JSON with it, stay the same with fewer resolutions.
///
/// Cell spaces are many: `darts` is the CIFAR net of 36 channels and 20 cells, `darts_imagenet` the
/// ImageNet net of 48 and 14; `_c16`, `_l8` and `_aux`, in this order, name one with other
/// channels, cells, or an auxiliary head. The overrides give the space the same name:
/// make_space("darts", {.cells = 8})->name() is `darts_l8`.
///
/// So are width chains: `mobilenet_v1_widths_x0.25` has a quarter of the widths. Up to 48 pixels
/// their stems keep the image's size: stride 1, and a ResNet's is 3x3 without a pool (He et al.,
/// section 4.2).
/// @throws Error naming the nearest built-in names if `name` is none, or listing the space's
/// resolutions if one of `resolutions` is not among them, or if a space without cells is given a
/// stem, channels or cells; std::invalid_argument if both an input size and resolutions are given,
/// or as make_cell_space().
std::unique_ptr<Space> make_space(const std::string& name, const TaskOverrides& overrides = {});

/// What make_space() gives to the family, for all but the cell spaces; a width chain's as it is for
/// that input size. @throws Error as make_space().
SpaceSpec builtin_space_spec(const std::string& name, std::optional<int> input_size = {});

/// The name of a built-in width chain with `scale` times the widths of `name`'s; 1: that name.
/// @throws Error listing the width chains if `name` is none, or if `scale` is not in [0.05, 4] with
/// at most three decimals.
std::string scaled_widths_name(const std::string& name, double scale);

/// Whether make_space() knows the name.
bool is_space_name(const std::string& name);

/// Sorted; of the cell spaces the two published ones, of width chains those of scale 1.
std::vector<std::string> builtin_space_names();

}  // namespace lathe::space
