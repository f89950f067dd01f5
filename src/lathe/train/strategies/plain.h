// Training of one net alone: what every supernet has to be compared with.
#pragma once

#include <memory>
#include <vector>

#include "lathe/space/space.h"
#include "lathe/train/schedule.h"
#include "lathe/train/strategy.h"

namespace lathe::train {

struct PlainOptions {
  CosineSchedule schedule;
  space::Arch arch;
  /// What every step is compared with. kTeacher is TrainOptions::teacher.
  std::vector<LossTerm> losses{{}};
  int image_size = 0;    ///< of its input; 0: the data set's
  double drop_path = 0;  ///< rate at the end, of nets that have paths; grows linearly from 0
};

/// Every step trains `arch`, with the labels if nothing else is said.
/// @throws std::invalid_argument if the schedule's total_steps is not positive, or drop_path not in
/// [0, 1).
std::unique_ptr<Strategy> make_plain(const PlainOptions& options);

}  // namespace lathe::train
