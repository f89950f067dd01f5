// The spaces that come with Lathe, by name.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lathe/space/bottleneck_family.h"
#include "lathe/space/chain_family.h"
#include "lathe/space/mobile_family.h"
#include "lathe/space/space.h"

namespace lathe::space {

struct TaskOverrides {
  std::optional<int> in_channels;
  std::optional<int> num_classes;
  std::optional<int> input_size;  ///< the only one: there is no choice of a resolution left
  std::vector<int> resolutions;   ///< the space's own to choose from; empty: all of them
};

/// A concrete space is data given to a family.
using SpaceSpec = std::variant<MobileSpec, BottleneckSpec, ChainSpec>;

/// @throws std::invalid_argument as the family's maker.
std::unique_ptr<Space> make_space_from_spec(SpaceSpec spec, const TaskOverrides& overrides = {});

/// A built-in space for a task; what is not overridden is as published (mbv3_28: 1 channel, 10
/// classes, 28x28; the others 3 channels, 1000 classes, 224x224).
/// The name, and the arch JSON with it, stay the same with fewer resolutions.
/// @throws Error naming the nearest built-in names if `name` is none, or listing the space's
/// resolutions if one of `resolutions` is not among them; std::invalid_argument if both an input
/// size and resolutions are given.
std::unique_ptr<Space> make_space(const std::string& name, const TaskOverrides& overrides = {});

/// What make_space() gives to the family. @throws Error as make_space().
SpaceSpec builtin_space_spec(const std::string& name);

/// Sorted.
std::vector<std::string> builtin_space_names();

}  // namespace lathe::space
