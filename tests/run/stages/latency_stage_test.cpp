#include "lathe/run/stages/latency_stage.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/latency/models/block_table.h"
#include "lathe/latency/samples/sample.h"
#include "lathe/measure/random_net.h"
#include "lathe/measure/runners/torch_runner.h"
#include "lathe/report/latency_record.h"
#include "lathe/report/run_files.h"
#include "run/stage_fixtures.h"

namespace lathe::run {
namespace {

using lathe::testing::open_folder;
using lathe::testing::ScriptedRunner;
using lathe::testing::stage_space;
using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;

class LatencyStageTest : public ::testing::Test {
 protected:
  /// What nets are timed by: a device that takes `ms` for everything, after `script_ms`.
  Device measure(std::vector<double> script_ms, double ms) {
    options_.make_runner = [&](const graph::Net&, const std::string& known) {
      known_runtime_ = known;
      auto runner = std::make_unique<ScriptedRunner>(script_ms, ms);
      runner_ = runner.get();
      return runner;
    };
    return measure_device(space_, options_, 0, folder_,
                          [this](const Progress& p) { last_ = p.message; });
  }

  latency::LatencySamples samples() const {
    return latency::read_samples(folder_.latency_samples(), *space_);
  }

  TemporaryFolder temporary_;
  RunFolder folder_ = open_folder(temporary_);
  std::shared_ptr<const space::Space> space_ = stage_space();
  LatencyOptions options_{.fewest_nets = 20, .most_nets = 40, .calibration_nets = 5};
  ScriptedRunner* runner_ = nullptr;
  std::string known_runtime_;
  std::string last_;
};

// Groups of 15 with an anchor each.
TEST_F(LatencyStageTest, FitsARidgeToWholeNets) {
  const Device device = measure({}, 0.4);
  EXPECT_EQ(runner_->timings(), 22U) << "nothing is left to learn after the fewest nets";
  EXPECT_EQ(samples().samples.size(), 20U);
  EXPECT_EQ(samples().samples[0].arch, space_->smallest());
  EXPECT_EQ(samples().samples[1].arch, space_->largest());
  EXPECT_EQ(samples().fingerprint, measure::fingerprint(*runner_, *space_));
  EXPECT_NEAR(device.latency->predict_ms(space_->smallest()), 0.4, 1e-3);
  ASSERT_TRUE(device.latency->validation().has_value());
  EXPECT_EQ(device.latency->validation()->samples, 20);
  EXPECT_EQ(last_.rfind("ridge of 20 whole nets on a script", 0), 0U) << last_;
}

TEST_F(LatencyStageTest, TimesMoreNetsWhereTheModelIsNotGoodYet) {
  options_.good_mape = 0;
  std::vector<double> noise;
  for (int i = 0; i < 50; ++i) noise.push_back(i % 2 == 0 ? 0.3 : 0.6);
  const Device device = measure(noise, 0.4);
  EXPECT_EQ(samples().samples.size(), 30U);

  // The report judges the model by the very nets that were left out here.
  report::RunFiles files(folder_.root());
  const auto record = report::latency_record(files, *space_, device.latency.get(), /*seed=*/0);
  ASSERT_EQ(record.at("held_out"), true);
  double off = 0;
  for (const auto& sample : record.at("samples")) {
    const double measured = sample.at("measured_ms");
    off += std::abs(sample.at("predicted_ms").get<double>() - measured) / measured;
  }
  EXPECT_NEAR(off / 30, device.latency->validation()->mape, 1e-12);
  EXPECT_GT(off, 0.1);
}

TEST_F(LatencyStageTest, StopsWhereMoreNetsMakeItNoBetter) {
  options_.good_mape = 0;
  options_.most_nets = 200;
  std::vector<double> noise;
  Rng rng(4);
  for (int i = 0; i < 400; ++i) noise.push_back(0.4 * std::exp(0.3 * rng.normal()));
  measure(noise, 0.4);
  const std::size_t taken = samples().samples.size();
  EXPECT_GE(taken, 30U);
  EXPECT_LT(taken, 200U) << "noise is not learnt";
}

TEST_F(LatencyStageTest, TimesTheFewestNetsWhereThereIsNoTimeForMore) {
  options_.good_mape = 0;
  options_.collect.in_time = [] { return false; };
  std::vector<double> noise;
  for (int i = 0; i < 50; ++i) noise.push_back(i % 2 == 0 ? 0.3 : 0.6);
  const Device device = measure(noise, 0.4);
  EXPECT_EQ(samples().samples.size(), 20U);
  EXPECT_EQ(runner_->timings(), 22U) << "no group again";
  ASSERT_TRUE(device.latency->validation().has_value());
  EXPECT_NE(last_.find("; its share of the budget is spent"), std::string::npos) << last_;
}

TEST_F(LatencyStageTest, TimesBlocksThenNetsAndKeepsBoth) {
  options_.blocks = true;
  // Every block takes 0.1 ms alone and every whole net 0.4 ms.
  const std::size_t blocks = space_->distinct_blocks().size();
  const std::size_t anchors = (blocks + 14) / 15;
  const Device device = measure(std::vector<double>(blocks + anchors, 0.1), 0.4);
  EXPECT_EQ(runner_->timings(), blocks + anchors + 5 + 1);
  const auto& table = dynamic_cast<const latency::BlockTable&>(*device.latency);
  EXPECT_EQ(table.costs().coefficients_ms.size(), blocks);
  ASSERT_TRUE(table.validation().has_value());
  EXPECT_EQ(table.validation()->samples, 5);
  ASSERT_EQ(samples().samples.size(), 5U);
  EXPECT_EQ(samples().samples[0].median_ms, 0.4);
}

TEST_F(LatencyStageTest, IsNotDoneAgain) {
  const Device first = measure({}, 0.1);
  const Device second = measure({}, 7.0);
  EXPECT_EQ(runner_->timings(), 0U);
  EXPECT_EQ(second.latency->predict_ms(space_->largest()),
            first.latency->predict_ms(space_->largest()));
  EXPECT_EQ(known_runtime_, "torch 0 channels_last");
}

TEST_F(LatencyStageTest, GoesOnWhereItWasCutOff) {
  for (const bool blocks : {false, true}) {
    options_.blocks = blocks;
    std::filesystem::remove(folder_.latency_samples());
    measure({}, 0.1);
    std::filesystem::remove(folder_.latency_model());  // it is written last
    const std::string all = read_file(folder_.latency_samples());
    write_file_atomic(folder_.latency_samples(),
                      all.substr(0, all.rfind('\n', all.size() - 2) + 1));
    known_runtime_.clear();
    const Device again = measure({}, 0.1);
    EXPECT_EQ(runner_->timings(), 2U) << "one net and its anchor";
    EXPECT_EQ(known_runtime_, "torch 0 channels_last");
    EXPECT_EQ(samples().samples.size(), blocks ? 5U : 20U);
    std::filesystem::remove(folder_.latency_model());
  }
}

TEST_F(LatencyStageTest, TakesAModelOfTheDevice) {
  options_.model = temporary_ / "given.json";
  latency::Fingerprint of = measure::fingerprint(ScriptedRunner(), *space_);
  testing::table_by_macs(*space_, of).save(options_.model);
  const Device device = measure({}, 0.4);
  EXPECT_EQ(runner_->timings(), 0U);
  EXPECT_TRUE(std::filesystem::exists(folder_.latency_model()));

  std::filesystem::remove(folder_.latency_model());
  of.device = "another";
  testing::table_by_macs(*space_, of).save(options_.model);
  EXPECT_EQ(text_thrown<Error>([&] { measure({}, 0.4); }),
            options_.model.string() +
                ": measured under other conditions (device: \"another\" against \"a script\"); "
                "choose that --runner, or leave out --latency to measure here");
}

TEST_F(LatencyStageTest, RefusesAModelOfOtherConditionsOrAnotherSpace) {
  latency::Fingerprint other = measure::fingerprint(ScriptedRunner(), *space_);
  other.threads = 4;
  testing::table_by_macs(*space_, other).save(folder_.latency_model());
  EXPECT_EQ(text_thrown<Error>([&] { measure({}, 1); }),
            folder_.latency_model().string() +
                ": measured under other conditions (threads: 4 against 1); use another --out");

  space_ = stage_space("another");
  const std::string text = text_thrown<Error>([&] { measure({}, 1); });
  EXPECT_NE(text.find(folder_.latency_model().string()), std::string::npos) << text;
  EXPECT_NE(text.find("tiny_stage"), std::string::npos) << text;
  EXPECT_NE(text.find("another"), std::string::npos) << text;
}

TEST_F(LatencyStageTest, ARunKeepsTheLayoutOfItsModel) {
  for (const std::string runtime : {"nchw", "channels_last"}) {
    const auto torch = measure::make_torch_runner(
        measure::random_net(*space_, space_->smallest(), 1), {.channels_last = runtime != "nchw"});
    testing::table_by_macs(*space_, measure::fingerprint(*torch, *space_))
        .save(folder_.latency_model());
    const Device device = measure_device(space_, {}, 0, folder_, [](const Progress&) {});
    EXPECT_EQ(device.runner->runtime(), torch->runtime());
  }
}

}  // namespace
}  // namespace lathe::run
