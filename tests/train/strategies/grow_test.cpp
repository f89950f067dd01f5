#include "lathe/train/strategies/grow.h"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>
#include <string>

#include "core/temporary_folder.h"
#include "nn/small_space.h"

namespace lathe::train {
namespace {

using lathe::testing::small_space;
using lathe::testing::text_thrown;

GrowOptions ten_steps(int nets_per_step) {
  return {.schedule = {.peak = 0.5, .total_steps = 10},
          .small_share = 0.4,
          .nets_per_step = nets_per_step,
          .seed = 2};
}

TEST(Grow, TrainsTheSmallestAloneAndThenLargerOnesWithIt) {
  const auto space = small_space();
  const auto strategy = make_grow(*space, ten_steps(3));
  std::set<space::Arch> drawn;
  for (std::int64_t step = 0; step < 10; ++step) {
    const StepPlan plan = strategy->plan(step);
    EXPECT_EQ(plan.learning_rate, (CosineSchedule{.peak = 0.5, .total_steps = 10}.at(step)));
    EXPECT_EQ(plan.grow_from.has_value(), step == 4);
    EXPECT_EQ(plan.restart_optimizer, step == 4);
    if (step < 4) {
      ASSERT_EQ(plan.passes.size(), 1U);
      EXPECT_EQ(plan.passes[0].arch, space->smallest());
      EXPECT_EQ(plan.passes[0].losses.at(0).target, Target::kLabels);
      continue;
    }
    ASSERT_EQ(plan.passes.size(), 3U);
    EXPECT_EQ(plan.passes[0].arch, space->largest());
    EXPECT_EQ(plan.passes[0].losses.at(0).target, Target::kLabels);
    EXPECT_EQ(plan.passes[2].arch, space->smallest());
    drawn.insert(plan.passes[1].arch);
    for (int i = 1; i < 3; ++i) {
      EXPECT_EQ(plan.passes[i].losses.at(0).target, Target::kFirstPass);
      EXPECT_EQ(plan.passes[i].losses.at(0).weight, 1.0);
    }
  }
  EXPECT_GT(drawn.size(), 4U);
}

TEST(Grow, WithOneNetAStepTrainsTheLargestAlone) {
  const auto space = small_space();
  const auto strategy = make_grow(*space, ten_steps(1));
  for (std::int64_t step = 0; step < 10; ++step) {
    const StepPlan plan = strategy->plan(step);
    ASSERT_EQ(plan.passes.size(), 1U);
    EXPECT_EQ(plan.passes[0].losses.at(0).target, Target::kLabels);
    EXPECT_EQ(plan.passes[0].arch, step < 4 ? space->smallest() : space->largest());
  }
}

TEST(Grow, ReportsTheNetsThatItTrains) {
  const auto space = small_space();
  const auto names = [&](int nets_per_step, std::int64_t steps_done) {
    std::string names;
    for (const auto& net : make_grow(*space, ten_steps(nets_per_step))->reported(steps_done)) {
      names += (names.empty() ? "" : " ") + net.name;
      EXPECT_EQ(net.arch, net.name == "largest" ? space->largest() : space->smallest());
      EXPECT_EQ(net.image_size, 0);
    }
    return names;
  };
  EXPECT_EQ(names(2, 4), "smallest");
  EXPECT_EQ(names(2, 5), "largest smallest");
  EXPECT_EQ(names(1, 4), "smallest");
  EXPECT_EQ(names(1, 5), "largest");
}

TEST(Grow, SaysWhatIsWrong) {
  const auto space = small_space();
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { make_grow(*space, {.schedule = {.total_steps = 0}}); }),
            "[train::make_grow] total_steps must be > 0, got 0");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              make_grow(*space, {.schedule = {.total_steps = 1}, .small_share = 2});
            }).substr(0, 51),
            "[train::make_grow] small_share must be in [0, 1], g");
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { make_grow(*space, {.schedule = {.total_steps = 1}, .nets_per_step = 0}); }),
            "[train::make_grow] nets_per_step must be >= 1, got 0");
}

}  // namespace
}  // namespace lathe::train
