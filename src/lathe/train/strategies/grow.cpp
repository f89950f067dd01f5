#include "lathe/train/strategies/grow.h"

#include <stdexcept>
#include <string>
#include <utility>

#include "lathe/train/strategies/step_archs.h"
#include "lathe/train/strategies/stretched.h"

namespace lathe::train {
namespace {

constexpr std::uint64_t kGrowStream = 0x67726f77;  // "grow"

class Grow final : public StretchedStrategy {
 public:
  Grow(const space::Space& space, const GrowOptions& options)
      : StretchedStrategy("grow", options.schedule.total_steps), space_(space), options_(options) {}

  StepPlan plan(std::int64_t step) const override {
    StepArchs archs(space_, options_.seed, kGrowStream, step, options_.draw);
    StepPlan plan{.learning_rate = options_.schedule.at(planned(step))};
    if (small_alone(step)) {
      plan.passes = {{.arch = archs.smallest(), .dropout = true}};
      return plan;
    }
    if (step > 0 && small_alone(step - 1)) {
      plan.grow_from = archs.smallest();
      plan.restart_optimizer = true;  // what it remembers of new parts is none of theirs
    }
    plan.passes = {{.arch = archs.largest(), .dropout = true}};
    for (int i = 1; i < options_.nets_per_step; ++i) {
      const std::int64_t turn = step * (options_.nets_per_step - 1) + i - 1;
      plan.passes.push_back({.arch = turn % 2 == 0 ? archs.sample() : archs.smallest(),
                             .losses = {{.target = Target::kFirstPass}}});
    }
    return plan;
  }

  nlohmann::json to_json() const override {
    return {{"method", "grow"},
            {"total_steps", options_.schedule.total_steps},
            {"learning_rate", options_.schedule.peak},
            {"warmup_steps", options_.schedule.warmup_steps},
            {"final_share", options_.schedule.final_share},
            {"small_share", options_.small_share},
            {"nets_per_step", options_.nets_per_step},
            {"draw", options_.draw.name},
            {"seed", options_.seed}};
  }

  std::vector<Reported> reported(std::int64_t steps_done) const override {
    const Reported largest{"largest", space_.largest()}, smallest{"smallest", space_.smallest()};
    if (small_alone(steps_done - 1)) {
      return {smallest};
    }
    return options_.nets_per_step == 1 ? std::vector{largest} : std::vector{largest, smallest};
  }

 private:
  bool small_alone(std::int64_t step) const {
    return static_cast<double>(planned(step)) + 0.5 <
           options_.small_share * static_cast<double>(planned_steps());
  }

  const space::Space& space_;
  GrowOptions options_;
};

}  // namespace

std::unique_ptr<Strategy> make_grow(const space::Space& space, const GrowOptions& options) {
  if (options.schedule.total_steps <= 0) {
    throw std::invalid_argument("[train::make_grow] total_steps must be > 0, got " +
                                std::to_string(options.schedule.total_steps));
  }
  if (!(options.small_share >= 0 && options.small_share <= 1)) {
    throw std::invalid_argument("[train::make_grow] small_share must be in [0, 1], got " +
                                std::to_string(options.small_share));
  }
  if (options.nets_per_step < 1) {
    throw std::invalid_argument("[train::make_grow] nets_per_step must be >= 1, got " +
                                std::to_string(options.nets_per_step));
  }
  return std::make_unique<Grow>(space, options);
}

}  // namespace lathe::train
