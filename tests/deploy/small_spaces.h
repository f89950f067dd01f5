// Nets of every space, small enough to run many.
#pragma once

#include <memory>
#include <string>

#include "lathe/core/random.h"
#include "lathe/space/space_file.h"

namespace lathe::testing {

/// A built-in space or a file's, for ten classes of small images; `darts` with few channels and
/// cells.
inline std::unique_ptr<space::Space> small_space(const std::string& name) {
  space::TaskOverrides overrides{.num_classes = 10};
  if (name.starts_with("darts")) {
    overrides.input_size = 32;
    overrides.init_channels = 8;
    overrides.cells = 4;
  } else if (name != "mbv3_28" && !space::is_space_file(name)) {
    overrides.input_size = 64;
  }
  return space::open_space(name, overrides);
}

/// The smallest net, the largest, then random ones; at the smallest resolution, where archs carry
/// one: the operators are the same at all of them.
inline space::Arch small_arch(const space::Space& space, int number, Rng& rng) {
  space::Arch arch = number == 0   ? space.smallest()
                     : number == 1 ? space.largest()
                                   : space.sample(rng);
  for (std::size_t i = 0; i < arch.choices.size(); ++i) {
    if (space.decisions()[i].group == "r") {
      arch.choices[i] = 0;
    }
  }
  return arch;
}

}  // namespace lathe::testing
