// Whether training keeps the pace that it was planned with, and what to do where it doesn't.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "lathe/train/strategy.h"

namespace lathe::train {

/// Time is given from outside, in seconds from any origin.
class PaceWatch {
 public:
  /// How long a step of the plan takes, by Strategy::planned().
  using PlannedSeconds = std::function<double(std::int64_t planned_step)>;

  /// Training begins at `step`, and is to take the time that the rest of the plan takes.
  PaceWatch(const Strategy& strategy, PlannedSeconds step_s, std::int64_t step, double now_s,
            double look_every_s = 10);

  /// To be called after each step with how many are done. Every look_every_s it compares the pace
  /// of the last looks with the plan's, the last one counting most, and alone where it differs by
  /// half: a report on validation images falls into one look and not into another. If at this pace
  /// the rest would end late, or early, by more than a twentieth of all, it gives the steps that
  /// fit, at least one.
  std::optional<std::int64_t> steps_that_fit(std::int64_t steps_done, double now_s);

  /// How many times slower than planned the last looks found it.
  double slowdown() const { return slowdown_; }

 private:
  double planned_s(std::int64_t from, std::int64_t to) const;

  const Strategy& strategy_;
  PlannedSeconds step_s_;
  double look_every_s_;
  double begin_s_;
  double deadline_s_;
  std::int64_t looked_at_step_;
  double looked_s_;
  double took_s_ = 0;         // in the last looks, older ones counting less
  double should_take_s_ = 0;  // for the same steps
  double slowdown_ = 1;
};

}  // namespace lathe::train
