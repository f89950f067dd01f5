// The spaces that come with Lathe, by name.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lathe/space/space.h"

namespace lathe::space {

struct TaskOverrides {
  std::optional<int> in_channels;
  std::optional<int> num_classes;
  std::optional<int> input_size;
};

/// A built-in space for a task; what is not overridden is as published (mbv3_28: 1 channel, 10
/// classes, 28x28; the others 3 channels, 1000 classes, 224x224).
/// @throws Error naming the nearest built-in names if `name` is none.
std::unique_ptr<Space> make_space(const std::string& name, const TaskOverrides& overrides = {});

/// Sorted.
std::vector<std::string> builtin_space_names();

}  // namespace lathe::space
