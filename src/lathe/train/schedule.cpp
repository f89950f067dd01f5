#include "lathe/train/schedule.h"

#include <cmath>
#include <numbers>

namespace lathe::train {

double CosineSchedule::at(std::int64_t step) const {
  if (step < warmup_steps) {
    return peak * static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
  }
  const double done =
      static_cast<double>(step - warmup_steps) / static_cast<double>(total_steps - warmup_steps);
  return 0.5 * peak * (1.0 + std::cos(std::numbers::pi * done));
}

}  // namespace lathe::train
