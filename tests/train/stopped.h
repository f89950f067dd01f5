// What ends a training in its middle.
#pragma once

#include <stdexcept>

namespace lathe::testing {

struct Stopped : std::runtime_error {
  Stopped() : std::runtime_error("stopped") {}
};

}  // namespace lathe::testing
