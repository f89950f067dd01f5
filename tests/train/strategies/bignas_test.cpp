#include "lathe/train/strategies/bignas.h"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/train/strategies/plain.h"
#include "nn/small_space.h"

namespace lathe::train {
namespace {

using lathe::testing::small_space;
using lathe::testing::text_thrown;

TEST(BigNas, SandwichesFromTheFirstStepOn) {
  const auto space = small_space();
  const auto strategy = make_bignas(
      *space, {.schedule = {.peak = 0.5, .total_steps = 10}, .random_subnets = 3, .seed = 2});
  EXPECT_EQ(strategy->total_steps(), 10);
  std::set<space::Arch> drawn;
  for (std::int64_t step = 0; step < 10; ++step) {
    const StepPlan plan = strategy->plan(step);
    EXPECT_EQ(plan.learning_rate, (CosineSchedule{.peak = 0.5, .total_steps = 10}.at(step)));
    EXPECT_FALSE(plan.sort_channels.has_value());
    EXPECT_FALSE(plan.keep_teacher || plan.restart_optimizer);
    ASSERT_EQ(plan.passes.size(), 5U);
    EXPECT_EQ(plan.passes[0].arch, space->largest());
    EXPECT_EQ(plan.passes[1].arch, space->smallest());
    for (std::size_t i = 0; i < 5; ++i) {
      ASSERT_EQ(plan.passes[i].losses.size(), 1U);
      EXPECT_EQ(plan.passes[i].losses[0].target, i == 0 ? Target::kLabels : Target::kFirstPass);
      EXPECT_EQ(plan.passes[i].losses[0].weight, 1.0);
      EXPECT_EQ(plan.passes[i].dropout, i == 0) << "dropout on the largest alone";
      if (i > 1) drawn.insert(plan.passes[i].arch);
    }
  }
  EXPECT_GT(drawn.size(), 20U);
}

TEST(BigNas, SaysWhatIsWrong) {
  const auto space = small_space();
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              make_bignas(*space, {.schedule = {.total_steps = 0}, .random_subnets = -1});
            }),
            "[train::make_bignas] total_steps must be > 0 and random_subnets >= 0, got 0 and -1");
}

TEST(Plain, TrainsOneNetWithLabels) {
  const auto space = small_space();
  const auto strategy =
      make_plain({.schedule = {.peak = 0.1, .total_steps = 4}, .arch = space->smallest()});
  for (std::int64_t step = 0; step < 4; ++step) {
    const StepPlan plan = strategy->plan(step);
    ASSERT_EQ(plan.passes.size(), 1U);
    EXPECT_EQ(plan.passes[0].arch, space->smallest());
    EXPECT_EQ(plan.passes[0].losses.at(0).target, Target::kLabels);
  }
  EXPECT_EQ(
      text_thrown<std::invalid_argument>([] { make_plain({.schedule = {.total_steps = 0}}); }),
      "[train::make_plain] total_steps must be > 0, got 0");
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [] { make_plain({.schedule = {.total_steps = 1}, .drop_path = 1}); }),
            "[train::make_plain] drop_path must be in [0, 1), got 1.000000");
}

}  // namespace
}  // namespace lathe::train
