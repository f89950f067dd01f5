#include "lathe/measure/timing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/temporary_folder.h"

namespace lathe::measure {
namespace {

using lathe::testing::text_thrown;

TEST(LatencyStatsTest, AreThoseWorkedOutByHand) {
  const LatencyStats stats = latency_stats({4, 1, 3, 2, 10});
  EXPECT_EQ(stats.count, 5);
  EXPECT_DOUBLE_EQ(stats.mean_ms, 4.0);
  EXPECT_DOUBLE_EQ(stats.p50_ms, 3.0);
  EXPECT_DOUBLE_EQ(stats.p90_ms, 4 + 0.6 * (10 - 4));  // position 0.9 * 4 = 3.6 in 1 2 3 4 10
  EXPECT_DOUBLE_EQ(stats.stdev_ms, std::sqrt((0 + 9 + 1 + 4 + 36) / 5.0));
  EXPECT_DOUBLE_EQ(stats.min_ms, 1.0);
  EXPECT_DOUBLE_EQ(stats.max_ms, 10.0);
}

TEST(LatencyStatsTest, OfOneTimeAreThatTime) {
  const LatencyStats stats = latency_stats({2.5});
  EXPECT_EQ(stats.count, 1);
  for (const double value :
       {stats.mean_ms, stats.p50_ms, stats.p90_ms, stats.min_ms, stats.max_ms}) {
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
  const auto stats =
      time_interleaved(runnables, {.warmup_runs = 7, .rounds = 4, .runs_per_round = 5});
  ASSERT_EQ(stats.size(), 3U);
  for (const LatencyStats& s : stats) {
    EXPECT_EQ(s.count, 20);
    EXPECT_GE(s.min_ms, 0);
    EXPECT_LE(s.min_ms, s.p50_ms);
    EXPECT_LE(s.p50_ms, s.p90_ms);
    EXPECT_LE(s.p90_ms, s.max_ms);
  }
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
