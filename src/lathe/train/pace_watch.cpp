#include "lathe/train/pace_watch.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace lathe::train {
namespace {

constexpr double kTolerance = 0.05;  // of the whole time, that is let pass
constexpr double kMemory = 0.7;      // of what a look counts at the next one
constexpr double kOtherPace = 1.5;   // times slower or faster: what was before counts no more

}  // namespace

PaceWatch::PaceWatch(const Strategy& strategy, PlannedSeconds step_s, std::int64_t step,
                     double now_s, double look_every_s)
    : strategy_(strategy),
      step_s_(std::move(step_s)),
      look_every_s_(look_every_s),
      begin_s_(now_s),
      deadline_s_(now_s + planned_s(step, strategy.total_steps())),
      looked_at_step_(step),
      looked_s_(now_s) {}

double PaceWatch::planned_s(std::int64_t from, std::int64_t to) const {
  double seconds = 0;
  for (std::int64_t step = from; step < to; ++step) {
    seconds += step_s_(strategy_.planned(step));
  }
  return seconds;
}

std::optional<std::int64_t> PaceWatch::steps_that_fit(std::int64_t steps_done, double now_s) {
  if (now_s - looked_s_ < look_every_s_ || steps_done == looked_at_step_) {
    return std::nullopt;
  }
  const double took_s = now_s - looked_s_;
  const double should_take_s = planned_s(looked_at_step_, steps_done);
  const double change = took_s / should_take_s / slowdown_;
  const double memory = change > kOtherPace || change < 1 / kOtherPace ? 0.0 : kMemory;
  took_s_ = memory * took_s_ + took_s;
  should_take_s_ = memory * should_take_s_ + should_take_s;
  slowdown_ = took_s_ / should_take_s_;
  looked_at_step_ = steps_done;
  looked_s_ = now_s;
  const std::int64_t steps_left = strategy_.total_steps() - steps_done;
  const double left_s = slowdown_ * planned_s(steps_done, strategy_.total_steps());
  const double late_s = now_s + left_s - deadline_s_;
  if (steps_left < 1 || std::abs(late_s) <= kTolerance * (deadline_s_ - begin_s_)) {
    return std::nullopt;
  }
  const double share = std::max(0.0, deadline_s_ - now_s) / left_s;
  const std::int64_t fit = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::floor(share * static_cast<double>(steps_left))));
  return fit == steps_left ? std::nullopt : std::optional(fit);
}

}  // namespace lathe::train
