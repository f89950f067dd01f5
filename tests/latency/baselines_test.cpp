#include "lathe/latency/fit/baselines.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/graph/counts.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::latency {
namespace {

using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

template <typename Latency>
std::vector<LatencySample> samples_of(const space::Space& space, int count, Latency latency) {
  Rng rng(1);
  std::vector<LatencySample> samples;
  for (int i = 0; i < count; ++i) {
    const space::Arch arch = space.sample(rng);
    const double ms = latency(arch);
    samples.push_back({.arch = arch, .median_ms = ms, .p90_ms = ms, .repeats = 1});
  }
  return samples;
}

TEST(BaselinesTest, ALatencyThatIsALineThroughTheMacs) {
  const TinySpace space;
  const auto samples = samples_of(space, 60, [&](const space::Arch& arch) {
    return 1.0 + static_cast<double>(graph::macs(space.graph(arch))) / 1e5;
  });
  const auto all = std::span<const LatencySample>(samples);
  for (const BaselineErrors& errors : {baseline_errors(space, all.first(40), all.subspan(40)),
                                       cross_validated_baselines(space, all)}) {
    EXPECT_LT(errors.macs_linear.mape, 1e-9);
    EXPECT_LT(errors.ridge.mape, 0.1);
    EXPECT_GT(errors.mean.mape, 0.1);
  }
  EXPECT_EQ(cross_validated_baselines(space, all).mean.samples, 60);
}

TEST(BaselinesTest, TheMeanIsTheConstantOfLeastRelativeError) {
  const TinySpace space;
  int i = 0;
  const auto train =
      samples_of(space, 11, [&](const space::Arch&) { return ++i <= 9 ? 1.0 : 100.0; });
  const auto validation = samples_of(space, 4, [](const space::Arch&) { return 2.0; });
  EXPECT_NEAR(baseline_errors(space, train, validation).mean.mape, 0.5, 1e-12);
}

TEST(BaselinesTest, RefusesTooLittle) {
  const TinySpace space;
  auto samples = samples_of(space, 19, [](const space::Arch&) { return 1.0; });
  samples.insert(samples.end(), 10, samples.front());  // more samples, but not more nets
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { cross_validated_baselines(space, samples); }),
            "[latency::cross_validated_baselines] needs samples of at least 20 nets, got 19");
}

TEST(RepeatabilityTest, FromNetsMeasuredAgain) {
  const TinySpace space;
  const std::vector<LatencySample> samples{{space.smallest(), 1.0, 1.0, 1},
                                           {space.largest(), 4.0, 4.0, 1},
                                           {space.smallest(), 1.1, 1.1, 1}};
  const Repeatability result = repeatability(samples);
  EXPECT_EQ(result.repeated_nets, 1);
  ASSERT_TRUE(result.between_runs.has_value());
  EXPECT_NEAR(*result.between_runs, 0.1 / 1.05 / std::numbers::sqrt2, 1e-12);
  EXPECT_FALSE(result.within_run.has_value());
}

TEST(RepeatabilityTest, FromTheTurnsOfANet) {
  const TinySpace space;
  LatencySample turned{space.smallest(), 1.0, 1.1, 6};
  turned.rounds_ms = {{0.9, 1.0}, {1.1, 1.3}, {1.0, 1.1}};
  // Even turns: median 1.0; odd: 1.2.
  EXPECT_NEAR(*repeatability(std::vector{turned}).between_turns, 0.2 / 1.1 / 2, 1e-12);
  turned.rounds_ms = {{1.0, 1.1}};
  EXPECT_FALSE(repeatability(std::vector{turned}).between_turns.has_value());
}

TEST(RepeatabilityTest, FromTheRunsOfANet) {
  const TinySpace space;
  // Normal runs of deviation 0.1 around 2.
  const std::vector<LatencySample> samples{{space.smallest(), 2.0, 2.0 + 0.12816, 100}};
  const Repeatability result = repeatability(samples);
  EXPECT_FALSE(result.between_runs.has_value());
  const double median_deviation = 0.1 * std::sqrt(std::numbers::pi / 2 / 100);
  EXPECT_NEAR(*result.within_run, median_deviation * std::sqrt(2 / std::numbers::pi) / 2, 1e-9);
}

}  // namespace
}  // namespace lathe::latency
