#include "lathe/measure/timing.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/temporary_folder.h"

namespace lathe::measure {
namespace {

using lathe::testing::text_thrown;

TEST(LatencyStatsTest, AreThoseWorkedOutByHand) {
  const LatencyStats stats = latency_stats(std::vector<double>{4, 1, 3, 2, 10});
  EXPECT_EQ(stats.count, 5);
  EXPECT_DOUBLE_EQ(stats.mean_ms, 4.0);
  EXPECT_DOUBLE_EQ(stats.p50_ms, 3.0);
  EXPECT_DOUBLE_EQ(stats.p90_ms, 4 + 0.6 * (10 - 4));  // position 0.9 * 4 = 3.6 in 1 2 3 4 10
  EXPECT_DOUBLE_EQ(stats.p95_ms, 4 + 0.8 * (10 - 4));
  EXPECT_DOUBLE_EQ(stats.p99_ms, 4 + 0.96 * (10 - 4));
  EXPECT_DOUBLE_EQ(stats.stdev_ms, std::sqrt((0 + 9 + 1 + 4 + 36) / 5.0));
  EXPECT_DOUBLE_EQ(stats.min_ms, 1.0);
  EXPECT_DOUBLE_EQ(stats.max_ms, 10.0);
}

TEST(LatencyStatsTest, OfOneTimeAreThatTime) {
  const LatencyStats stats = latency_stats(std::vector<double>{2.5});
  EXPECT_EQ(stats.count, 1);
  for (const double value : {stats.mean_ms, stats.p50_ms, stats.p90_ms, stats.p95_ms, stats.p99_ms,
                             stats.min_ms, stats.max_ms}) {
    EXPECT_DOUBLE_EQ(value, 2.5);
  }
  EXPECT_DOUBLE_EQ(stats.stdev_ms, 0.0);
}

TEST(LatencyStatsTest, NeedAtLeastOneTime) {
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { latency_stats({}); }),
            "[measure::latency_stats] needs at least one time");
}

/// Two runnables, called by the letters "a" and "b".
std::string calls(const TimingOptions& options) {
  std::string order;
  const std::vector<Runnable> runnables{[&] { order += 'a'; }, [&] { order += 'b'; }};
  time_interleaved(runnables, options);
  return order;
}

TEST(TimeInterleavedTest, TakesTurns) {
  // Warm-up runs come before the first turn; every later turn begins with an uncounted run.
  EXPECT_EQ(calls({.warmup_runs = 3, .rounds = 2, .runs_per_round = 2}),
            "aaa"
            "aa"
            "bbb"
            "bb"
            "a"
            "aa"
            "b"
            "bb");
  EXPECT_EQ(calls({.warmup_runs = 0, .rounds = 1, .runs_per_round = 1}),
            "a"
            "a"
            "b"
            "b");
}

TEST(TimeInterleavedTest, CountsOnlyTheRunsOfTheTurns) {
  const std::vector<Runnable> runnables(3, [] {});
  const auto timings =
      time_interleaved(runnables, {.warmup_runs = 7, .rounds = 4, .runs_per_round = 5});
  ASSERT_EQ(timings.size(), 3U);
  for (const Timing& timing : timings) {
    EXPECT_EQ(timing.warmup_runs, 7);
    EXPECT_GE(timing.first_ms, 0);
    ASSERT_EQ(timing.rounds_ms.size(), 4U);
    for (const std::vector<double>& round : timing.rounds_ms) {
      EXPECT_EQ(round.size(), 5U);
    }
    EXPECT_EQ(timing.times_ms().size(), 20U);
  }
}

Runnable sleeping(double ms) {
  return [ms] { std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(ms)); };
}

TEST(TimeInterleavedTest, EndsATurnThatHasLastedLongEnough) {
  const std::vector<Runnable> runnables{sleeping(60), [] {}};
  const auto timings = time_interleaved(
      runnables, {.warmup_runs = 1, .rounds = 2, .runs_per_round = 40, .round_ms = 50});
  EXPECT_EQ(timings[0].times_ms().size(), 4U);
  EXPECT_EQ(timings[1].times_ms().size(), 80U);
}

TEST(TimeInterleavedTest, WarmsUpUntilTwoBatchesAgree) {
  int runs = 0;
  const auto slow_at_first = [&] { sleeping(++runs <= 6 ? 8.0 / runs : 1)(); };
  const std::vector<Runnable> runnables{slow_at_first};
  const auto settled = time_interleaved(
      runnables, {.warmup_runs = 3, .warmup_ms = 2000, .rounds = 1, .runs_per_round = 1});
  EXPECT_TRUE(settled[0].settled);
  EXPECT_GT(settled[0].warmup_runs, 6);
  EXPECT_GT(settled[0].first_ms, 7.9);
}

TEST(TimeInterleavedTest, GivesUpWarmingUpWhatNeverSettles) {
  int runs = 0;
  const auto ever_slower = [&] { sleeping(0.5 * ++runs)(); };
  const std::vector<Runnable> runnables{ever_slower};
  const auto timings = time_interleaved(
      runnables, {.warmup_runs = 3, .warmup_ms = 20, .rounds = 1, .runs_per_round = 1});
  EXPECT_FALSE(timings[0].settled);
  EXPECT_LT(timings[0].warmup_runs, 20);
}

TEST(TimeInterleavedTest, ReportsEveryTurnOfEveryRunnable) {
  std::vector<std::pair<int, int>> reports;
  const std::vector<Runnable> runnables(2, [] {});
  time_interleaved(runnables, {.warmup_runs = 1, .rounds = 2, .runs_per_round = 1},
                   [&](int done, int total) { reports.emplace_back(done, total); });
  EXPECT_EQ(reports, (std::vector<std::pair<int, int>>{{1, 4}, {2, 4}, {3, 4}, {4, 4}}));
}

TEST(TimeInterleavedTest, GivesNothingForNothing) { EXPECT_TRUE(time_interleaved({}, {}).empty()); }

TEST(TimeInterleavedTest, RefusesCountsOutOfRange) {
  const auto text = [](const TimingOptions& options) {
    return text_thrown<std::invalid_argument>([&] { time_interleaved({}, options); });
  };
  EXPECT_EQ(text({.warmup_runs = -1}),
            "[measure::time_interleaved] warmup_runs must be >= 0, got -1");
  EXPECT_EQ(text({.warmup_ms = -1}),
            "[measure::time_interleaved] warmup_ms must be >= 0, got -1.000000");
  EXPECT_EQ(text({.round_ms = -1}),
            "[measure::time_interleaved] round_ms must be >= 0, got -1.000000");
  EXPECT_EQ(text({.rounds = 0}), "[measure::time_interleaved] rounds must be > 0, got 0");
  EXPECT_EQ(text({.runs_per_round = -5}),
            "[measure::time_interleaved] runs_per_round must be > 0, got -5");
}

TEST(TimeInterleavedTest, PassesOnWhatARunnableThrows) {
  const std::vector<Runnable> runnables{[] { throw std::runtime_error("broken net"); }};
  EXPECT_EQ(text_thrown<std::runtime_error>([&] { time_interleaved(runnables, {}); }),
            "broken net");
}

}  // namespace
}  // namespace lathe::measure
