// The learning rate of a step.
#pragma once

#include <cstdint>

namespace lathe::train {

struct CosineSchedule {
  double peak = 0.1;
  std::int64_t total_steps = 1;
  std::int64_t warmup_steps = 0;  ///< over which the rate grows linearly from peak / warmup_steps

  /// The rate of step `step`, counted from 0; reaches 0 at total_steps.
  double at(std::int64_t step) const;
};

}  // namespace lathe::train
