// The beginning of a method, to try its pace by.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lathe/train/strategy.h"

namespace lathe::train {

/// The first steps of `whole` exactly as it plans them, and then the end: a method told to do all
/// it does in so few steps would be in its last phase before the clock has started.
class FirstSteps final : public Strategy {
 public:
  /// All of `whole` if that has fewer. @throws std::invalid_argument if `steps` is not positive.
  FirstSteps(std::unique_ptr<Strategy> whole, std::int64_t steps)
      : whole_(std::move(whole)), steps_(std::min(steps, whole_->total_steps())) {
    if (steps <= 0) {
      throw std::invalid_argument("[train::FirstSteps] steps must be > 0, got " +
                                  std::to_string(steps));
    }
  }

  std::int64_t total_steps() const override { return steps_; }
  StepPlan plan(std::int64_t step) const override { return whole_->plan(step); }
  int image_size(std::int64_t step) const override { return whole_->image_size(step); }
  void observe(std::int64_t step, const std::vector<Observation>& observations) override {
    whole_->observe(step, observations);
  }
  nlohmann::json state() const override { return whole_->state(); }
  void restore(const nlohmann::json& state) override { whole_->restore(state); }
  nlohmann::json to_json() const override { return whole_->to_json(); }
  std::vector<Reported> reported(std::int64_t steps_done) const override {
    return whole_->reported(steps_done);
  }

 private:
  std::unique_ptr<Strategy> whole_;
  std::int64_t steps_;
};

}  // namespace lathe::train
