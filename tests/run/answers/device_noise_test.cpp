#include "lathe/run/answers/device_noise.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/core/statistics.h"
#include "measure/simulated_phone.h"
#include "run/stage_fixtures.h"

namespace lathe::run {
namespace {

using lathe::testing::open_folder;
using lathe::testing::PhoneNoise;
using lathe::testing::SimulatedPhone;
using lathe::testing::stage_space;
using lathe::testing::text_thrown;

class DeviceNoiseTest : public ::testing::Test {
 protected:
  Device phone(const PhoneNoise& noise) {
    Device device{.space = stage_space(), .runner = nullptr, .latency = nullptr};
    device.runner = std::make_unique<SimulatedPhone>(noise, 3);
    return device;
  }
  DeviceNoise measured(const PhoneNoise& noise) {
    return measure_noise(phone(noise), options_, folder_,
                         [this](const Progress& p) { last_ = p.message; });
  }

  testing::TemporaryFolder temporary_;
  RunFolder folder_ = open_folder(temporary_);
  SpecializeOptions options_;
  std::string last_;
};

TEST_F(DeviceNoiseTest, FindsByHowMuchSessionsDiffer) {
  double sum = 0;
  constexpr int kFolders = 30;
  for (int i = 0; i < kFolders; ++i) {
    std::filesystem::remove(folder_.device_noise());
    Device device = phone({.drift = 0, .session = 0.02, .run = 0.001, .burst_chance = 0});
    device.runner = std::make_unique<SimulatedPhone>(
        PhoneNoise{.drift = 0, .session = 0.02, .run = 0.001, .burst_chance = 0}, 100 + i);
    sum += measure_noise(device, options_, folder_, [](const Progress&) {}).deviation;
  }
  EXPECT_NEAR(sum / kFolders, 0.02, 0.004);
}

TEST_F(DeviceNoiseTest, IsNotFooledByABurst) {
  const DeviceNoise noise =
      measured({.drift = 0, .session = 0.01, .run = 0.001, .burst_chance = 0.04, .burst = 3});
  EXPECT_LT(noise.deviation, 0.05);
  EXPECT_NE(last_.find("a net's sessions differ by "), std::string::npos);
}

TEST_F(DeviceNoiseTest, OfAQuantileItKnowsTheTail) {
  options_.quantile = 0.9;
  const DeviceNoise noise = measured({.drift = 0, .session = 0, .run = 0.05, .spike_chance = 0});
  EXPECT_NEAR(noise.tail, 1.066, 0.015);  // exp(1.2816 * 0.05)
  EXPECT_EQ(noise.sentinels.size(), 2U);
  EXPECT_EQ(noise.sentinels[0].arch, stage_space()->smallest());
}

TEST_F(DeviceNoiseTest, IsMeasuredOnceAndKept) {
  const DeviceNoise noise = measured({});
  last_.clear();
  const DeviceNoise again = measured({.session = 0.5});
  EXPECT_TRUE(last_.empty());
  EXPECT_EQ(again.deviation, noise.deviation);
  EXPECT_EQ(again.sentinels[1].session_ms, noise.sentinels[1].session_ms);
  options_.quantile = 0.99;
  EXPECT_EQ(
      text_thrown<Error>([&] { measured({}); }),
      folder_.device_noise().string() + ": is of p50 where p99 is asked for; use another --out");
  options_.quantile = 0.5;
  write_file_atomic(folder_.device_noise(), "{\"quantile\": 0.5}");
  EXPECT_EQ(text_thrown<Error>([&] { measured({}); }),
            folder_.device_noise().string() + ": \"tail\": expected a number, got nothing");
}

TEST_F(DeviceNoiseTest, ASessionHasEnoughRunsAboveItsQuantile) {
  const measure::TimingOptions timing{.rounds = 4, .runs_per_round = 25, .round_ms = 100};
  EXPECT_EQ(session_timing(timing, 0.5).runs_per_round, 25);
  EXPECT_EQ(session_timing(timing, 0.5).round_ms, 100);
  EXPECT_EQ(session_timing(timing, 0.9).runs_per_round, 25);
  EXPECT_EQ(session_timing(timing, 0.99).runs_per_round, 125);
  EXPECT_EQ(session_timing(timing, 0.9).round_ms, 0) << "all of them";
}

TEST_F(DeviceNoiseTest, ADisturbanceIsSeen) {
  const Device device = phone({.drift = 0, .session = 0.001, .burst_chance = 0});
  const DeviceNoise noise = measured({.drift = 0, .session = 0.001, .burst_chance = 0});
  EXPECT_FALSE(disturbed(noise, *device.space, *device.runner, options_));
  SimulatedPhone slow({.drift = 0, .session = 0.001, .burst_chance = 1}, 3);
  EXPECT_TRUE(disturbed(noise, *device.space, slow, options_));
}

}  // namespace
}  // namespace lathe::run
