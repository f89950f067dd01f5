// A space of each family, in the order that arch_json's corpus has them.
#pragma once

#include <memory>
#include <vector>

#include "lathe/space/builtin_spaces.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::testing {

inline const std::vector<std::unique_ptr<space::Space>>& family_spaces() {
  static const auto kSpaces = [] {
    std::vector<std::unique_ptr<space::Space>> spaces;
    for (const char* name :
         {"mbv3_28", "ofa_resnet50d", "mobilenet_v1_widths", "resnet18_widths", "darts"}) {
      spaces.push_back(space::make_space(name));
    }
    spaces.push_back(std::make_unique<TinySpace>());
    return spaces;
  }();
  return kSpaces;
}

}  // namespace lathe::testing
