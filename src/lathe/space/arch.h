// A point of a space.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "lathe/core/hash.h"

namespace lathe::space {

/// One choice index per decision of a space, in the space's order. Meaningful only together with
/// its Space; equal archs describe equal nets once both are canonical.
struct Arch {
  std::vector<std::uint8_t> choices;
  bool operator==(const Arch&) const = default;
  auto operator<=>(const Arch&) const = default;
};

}  // namespace lathe::space

template <>
struct std::hash<lathe::space::Arch> {
  std::size_t operator()(const lathe::space::Arch& arch) const noexcept {
    return static_cast<std::size_t>(lathe::fnv1a(arch.choices));
  }
};
