#include "lathe/train/strategies/bignas.h"

#include <stdexcept>
#include <string>

#include "lathe/train/strategies/step_archs.h"

namespace lathe::train {
namespace {

constexpr std::uint64_t kBigNasStream = 0x6269676e6173;  // "bignas"

class BigNas final : public Strategy {
 public:
  BigNas(const space::Space& space, const BigNasOptions& options)
      : space_(space), options_(options) {}

  std::int64_t total_steps() const override { return options_.schedule.total_steps; }

  StepPlan plan(std::int64_t step) const override {
    StepArchs archs(space_, options_.seed, kBigNasStream, step, options_.draw);
    StepPlan plan{.passes = {{.arch = archs.largest(), .dropout = true}},
                  .learning_rate = options_.schedule.at(step)};
    add_sandwich(plan.passes, archs, options_.random_subnets, 1.0);
    return plan;
  }

  int image_size(std::int64_t step) const override {
    return StepArchs(space_, options_.seed, kBigNasStream, step).image_size();
  }

  nlohmann::json to_json() const override {
    return {{"method", "bignas"},
            {"total_steps", options_.schedule.total_steps},
            {"learning_rate", options_.schedule.peak},
            {"warmup_steps", options_.schedule.warmup_steps},
            {"final_share", options_.schedule.final_share},
            {"random_subnets", options_.random_subnets},
            {"draw", options_.draw.name},
            {"seed", options_.seed}};
  }

  std::vector<Reported> reported(std::int64_t /*steps_done*/) const override {
    return {{"largest", space_.largest()}, {"smallest", space_.smallest()}};
  }

 private:
  const space::Space& space_;
  BigNasOptions options_;
};

}  // namespace

std::unique_ptr<Strategy> make_bignas(const space::Space& space, const BigNasOptions& options) {
  if (options.schedule.total_steps <= 0 || options.random_subnets < 0) {
    throw std::invalid_argument(
        "[train::make_bignas] total_steps must be > 0 and random_subnets >= 0, got " +
        std::to_string(options.schedule.total_steps) + " and " +
        std::to_string(options.random_subnets));
  }
  return std::make_unique<BigNas>(space, options);
}

}  // namespace lathe::train
