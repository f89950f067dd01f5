#include "lathe/train/strategies/deps.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "lathe/train/strategies/step_archs.h"

namespace lathe::train {
namespace {

constexpr std::uint64_t kDepsStream = 0x64657073;  // "deps"

std::int64_t shrinking_starts(const DepsOptions& o) {
  return o.in_place_distillation
             ? 0
             : std::llround(o.warmup_share * static_cast<double>(o.schedule.total_steps));
}

class Deps final : public Strategy {
 public:
  Deps(const space::Space& space, const DepsOptions& options) : space_(space), options_(options) {}

  std::int64_t total_steps() const override { return options_.schedule.total_steps; }

  StepPlan plan(std::int64_t step) const override {
    StepArchs archs(space_, options_.seed, kDepsStream, step, options_.draw);
    StepPlan plan{.passes = {{.arch = archs.largest(), .dropout = true}},
                  .learning_rate = options_.schedule.at(step)};
    if (step == shrinking_starts(options_)) {
      plan.sort_channels.emplace();
    }
    const double epsilon = deps_epsilon(options_, step);
    if (epsilon > 0) {
      add_sandwich(plan.passes, archs, options_.random_subnets, epsilon);
    }
    return plan;
  }

  int image_size(std::int64_t step) const override {
    return StepArchs(space_, options_.seed, kDepsStream, step).image_size();
  }

  nlohmann::json to_json() const override {
    return {{"method", "deps"},
            {"total_steps", options_.schedule.total_steps},
            {"learning_rate", options_.schedule.peak},
            {"warmup_steps", options_.schedule.warmup_steps},
            {"final_share", options_.schedule.final_share},
            {"warmup_share", options_.warmup_share},
            {"ramp_share", options_.ramp_share},
            {"epsilon_start", options_.epsilon_start},
            {"in_place_distillation", options_.in_place_distillation},
            {"random_subnets", options_.random_subnets},
            {"draw", options_.draw.name},
            {"seed", options_.seed}};
  }

  std::vector<Reported> reported(std::int64_t /*steps_done*/) const override {
    return {{"largest", space_.largest()}, {"smallest", space_.smallest()}};
  }

 private:
  const space::Space& space_;
  DepsOptions options_;
};

void require_deps(bool holds, const std::string& what) {
  if (!holds) {
    throw std::invalid_argument("[train::make_deps] " + what);
  }
}

}  // namespace

double deps_epsilon(const DepsOptions& o, std::int64_t step) {
  const std::int64_t start = shrinking_starts(o);
  if (step < start) {
    return 0.0;
  }
  const double ramp_steps = o.ramp_share * static_cast<double>(o.schedule.total_steps - start);
  if (ramp_steps < 1) {
    return 1.0;
  }
  const double done = static_cast<double>(step - start) / ramp_steps;
  return std::min(1.0, o.epsilon_start + (1.0 - o.epsilon_start) * done);
}

std::unique_ptr<Strategy> make_deps(const space::Space& space, const DepsOptions& o) {
  require_deps(o.schedule.total_steps > 0,
               "total_steps must be > 0, got " + std::to_string(o.schedule.total_steps));
  require_deps(o.warmup_share >= 0 && o.warmup_share <= 1,
               "warmup_share must be in [0, 1], got " + std::to_string(o.warmup_share));
  require_deps(o.ramp_share >= 0 && o.ramp_share <= 1,
               "ramp_share must be in [0, 1], got " + std::to_string(o.ramp_share));
  require_deps(o.epsilon_start > 0 && o.epsilon_start <= 1,
               "epsilon_start must be in (0, 1], got " + std::to_string(o.epsilon_start));
  require_deps(o.random_subnets >= 0,
               "random_subnets must be >= 0, got " + std::to_string(o.random_subnets));
  return std::make_unique<Deps>(space, o);
}

}  // namespace lathe::train
