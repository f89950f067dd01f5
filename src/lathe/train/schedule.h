// The learning rate of a step, and how long a run is.
#pragma once

#include <cstdint>

namespace lathe::train {

/// Steps of `epochs` over `train_images` in batches of `batch_size`; what is left over at the end
/// of an epoch makes no step.
/// @throws std::invalid_argument if fewer than one, or batch_size is not > 0.
std::int64_t steps_of(double epochs, std::int64_t batch_size, std::int64_t train_images);

struct CosineSchedule {
  double peak = 0.1;
  std::int64_t total_steps = 1;
  std::int64_t warmup_steps = 0;  ///< over which the rate grows linearly from peak / warmup_steps
  double final_share = 0;         ///< of the peak, at the end; 1: the rate is constant

  /// The rate of step `step`, counted from 0; reaches final_share * peak at total_steps.
  double at(std::int64_t step) const;
};

}  // namespace lathe::train
