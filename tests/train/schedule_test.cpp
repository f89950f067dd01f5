#include "lathe/train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lathe::train {
namespace {

TEST(CosineSchedule, ByHand) {
  const CosineSchedule schedule{.peak = 0.8, .total_steps = 8};
  EXPECT_DOUBLE_EQ(schedule.at(0), 0.8);
  EXPECT_NEAR(schedule.at(2), 0.4 * (1 + std::sqrt(0.5)), 1e-12);  // cos(pi / 4)
  EXPECT_NEAR(schedule.at(4), 0.4, 1e-12);
  EXPECT_NEAR(schedule.at(6), 0.4 * (1 - std::sqrt(0.5)), 1e-12);
  EXPECT_NEAR(schedule.at(8), 0.0, 1e-12);
}

TEST(CosineSchedule, WarmsUpLinearlyThenFallsFromThePeak) {
  const CosineSchedule schedule{.peak = 1.0, .total_steps = 12, .warmup_steps = 4};
  EXPECT_DOUBLE_EQ(schedule.at(0), 0.25);
  EXPECT_DOUBLE_EQ(schedule.at(1), 0.5);
  EXPECT_DOUBLE_EQ(schedule.at(3), 1.0);
  EXPECT_DOUBLE_EQ(schedule.at(4), 1.0);
  EXPECT_NEAR(schedule.at(8), 0.5, 1e-12);
  EXPECT_NEAR(schedule.at(12), 0.0, 1e-12);
  for (int step = 5; step < 12; ++step) {
    EXPECT_LT(schedule.at(step), schedule.at(step - 1));
  }
}

TEST(CosineSchedule, MayBeAllWarmup) {
  const CosineSchedule schedule{.peak = 1.0, .total_steps = 3, .warmup_steps = 6};
  EXPECT_DOUBLE_EQ(schedule.at(2), 0.5);
}

}  // namespace
}  // namespace lathe::train
