#include "lathe/train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "core/temporary_folder.h"

namespace lathe::train {
namespace {

TEST(StepsOf, AreWholeBatchesTimesEpochs) {
  EXPECT_EQ(steps_of(2, 10, 109), 20);
  EXPECT_EQ(steps_of(0.25, 10, 100), 3);  // 2.5 rounded
  EXPECT_EQ(steps_of(1.5, 100, 100), 2);
  const auto text = [](double epochs, std::int64_t batch_size, std::int64_t images) {
    return lathe::testing::text_thrown<std::invalid_argument>(
        [&] { steps_of(epochs, batch_size, images); });
  };
  EXPECT_EQ(text(3, 64, 63),
            "[train::steps_of] epochs 3.000000 of 63 images in batches of 64 make no step");
  EXPECT_EQ(text(0, 64, 640),
            "[train::steps_of] epochs 0.000000 of 640 images in batches of 64 make no step");
  EXPECT_EQ(text(1, 0, 640), "[train::steps_of] batch_size must be > 0, got 0");
}

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
