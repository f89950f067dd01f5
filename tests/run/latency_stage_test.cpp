#include "lathe/run/latency_stage.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "lathe/core/error.h"
#include "run/stage_fixtures.h"

namespace lathe::run {
namespace {

using lathe::testing::open_folder;
using lathe::testing::ScriptedRunner;
using lathe::testing::stage_space;
using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;

const ProgressFn kSilent = [](const Progress&) {};

constexpr LatencyOptions kFewNets{.calibration_nets = 5};

TEST(LatencyStageTest, TimesBlocksThenNetsAndKeepsBoth) {
  const TemporaryFolder temporary;
  const RunFolder folder = open_folder(temporary);
  const auto space = stage_space();
  // Every block takes 0.1 ms alone and every whole net 0.4 ms.
  const std::size_t blocks = space->distinct_blocks().size();
  ScriptedRunner runner(std::vector<double>(blocks, 0.1), 0.4);
  const latency::BlockTable table = measure_latency(*space, runner, kFewNets, 0, folder, kSilent);
  EXPECT_EQ(runner.timings(), blocks + 5);
  EXPECT_EQ(table.costs().coefficients_ms.size(), blocks);
  ASSERT_TRUE(table.costs().validation.has_value());
  EXPECT_EQ(table.costs().validation->samples, 5);
  const auto samples = latency::read_samples(folder.latency_samples(), *space);
  ASSERT_EQ(samples.samples.size(), 5U);
  EXPECT_EQ(samples.samples[0].median_ms, 0.4);
  EXPECT_EQ(samples.fingerprint, measure::fingerprint(runner, *space));
}

TEST(LatencyStageTest, IsNotDoneAgain) {
  const TemporaryFolder temporary;
  const RunFolder folder = open_folder(temporary);
  const auto space = stage_space();
  ScriptedRunner first({}, 0.1);
  const auto table = measure_latency(*space, first, kFewNets, 0, folder, kSilent);
  ScriptedRunner second({}, 7.0);
  const auto again = measure_latency(*space, second, kFewNets, 0, folder, kSilent);
  EXPECT_EQ(second.timings(), 0U);
  EXPECT_EQ(again.costs(), table.costs());
}

TEST(LatencyStageTest, BeginsAgainWhereItWasCutOff) {
  const TemporaryFolder temporary;
  const RunFolder folder = open_folder(temporary);
  const auto space = stage_space();
  ScriptedRunner runner({}, 0.1);
  measure_latency(*space, runner, kFewNets, 0, folder, kSilent);
  std::filesystem::remove(folder.latency_table());  // the table is what was written last
  measure_latency(*space, runner, kFewNets, 0, folder, kSilent);
  EXPECT_EQ(latency::read_samples(folder.latency_samples(), *space).samples.size(), 5U);
}

TEST(LatencyStageTest, RefusesATableOfOtherConditionsOrAnotherSpace) {
  const TemporaryFolder temporary;
  const RunFolder folder = open_folder(temporary);
  const auto space = stage_space();
  ScriptedRunner runner;
  latency::Fingerprint other = measure::fingerprint(runner, *space);
  other.threads = 4;
  testing::table_by_macs(*space, other).save(folder.latency_table());
  EXPECT_EQ(
      text_thrown<Error>([&] { measure_latency(*space, runner, kFewNets, 0, folder, kSilent); }),
      folder.latency_table().string() +
          ": measured under other conditions (threads: 4 against 1); use another --out");

  const auto another = stage_space("another");
  const std::string text =
      text_thrown<Error>([&] { measure_latency(*another, runner, kFewNets, 0, folder, kSilent); });
  EXPECT_NE(text.find(folder.latency_table().string()), std::string::npos) << text;
  EXPECT_NE(text.find("tiny_stage"), std::string::npos) << text;
  EXPECT_NE(text.find("another"), std::string::npos) << text;
}

TEST(LatencyStageTest, ARunKeepsTheLayoutOfItsTable) {
  const auto space = stage_space();
  for (const std::string runtime : {"torch 0 channels_last", "torch 0 nchw"}) {
    const TemporaryFolder temporary;
    const RunFolder folder = open_folder(temporary);
    latency::Fingerprint fingerprint = measure::fingerprint(ScriptedRunner(), *space);
    fingerprint.runtime = runtime;
    testing::table_by_macs(*space, fingerprint).save(folder.latency_table());
    const std::string kept = make_runner(*space, {}, folder)->runtime();
    EXPECT_EQ(kept.substr(kept.rfind(' ')), runtime.substr(runtime.rfind(' ')));
  }
}

}  // namespace
}  // namespace lathe::run
