// A training strategy is a function from step to passes: everything in which the once-for-all
// methods differ. One trainer executes them.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lathe/space/arch.h"

namespace lathe::train {

enum class Target {
  kLabels,     ///< cross-entropy with the labels, smoothed
  kFirstPass,  ///< soft cross-entropy with the step's first pass's logits, detached
};

/// One forward and backward of one net on the step's batch. Gradients of a step's passes add up.
struct Pass {
  space::Arch arch;
  double weight = 1.0;  ///< the loss is scaled by it, which scales the gradient
  Target target = Target::kLabels;
  bool dropout = false;
};

/// Pure: the passes of a step depend on nothing but the step, so that a resumed run needs no state.
class Strategy {
 public:
  virtual ~Strategy() = default;
  virtual std::vector<Pass> passes(std::int64_t step) const = 0;
  /// Whether channels are sorted by importance just before this step.
  virtual bool sorts_channels_before(std::int64_t step) const = 0;
  /// What a resumed run must agree on.
  virtual nlohmann::json to_json() const = 0;
};

}  // namespace lathe::train
