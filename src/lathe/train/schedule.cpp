#include "lathe/train/schedule.h"

#include <cmath>
#include <numbers>
#include <stdexcept>
#include <string>

namespace lathe::train {

std::int64_t steps_of(double epochs, std::int64_t batch_size, std::int64_t train_images) {
  if (batch_size < 1) {
    throw std::invalid_argument("[train::steps_of] batch_size must be > 0, got " +
                                std::to_string(batch_size));
  }
  const double steps = epochs * static_cast<double>(train_images / batch_size);
  if (!(steps >= 1)) {
    throw std::invalid_argument("[train::steps_of] epochs " + std::to_string(epochs) + " of " +
                                std::to_string(train_images) + " images in batches of " +
                                std::to_string(batch_size) + " make no step");
  }
  return std::llround(steps);
}

double CosineSchedule::at(std::int64_t step) const {
  if (step < warmup_steps) {
    return peak * static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
  }
  const double done =
      static_cast<double>(step - warmup_steps) / static_cast<double>(total_steps - warmup_steps);
  const double cosine = 0.5 * peak * (1.0 + std::cos(std::numbers::pi * done));
  return final_share * peak + (1 - final_share) * cosine;
}

}  // namespace lathe::train
