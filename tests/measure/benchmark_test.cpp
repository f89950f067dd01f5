#include "lathe/measure/benchmark.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/random.h"
#include "lathe/measure/machine.h"

namespace lathe::measure {
namespace {

using lathe::testing::text_thrown;

/// Sessions with these medians, one time each.
Benchmark of(std::vector<double> medians_ms) {
  std::size_t next = 0;
  const int sessions = static_cast<int>(medians_ms.size());
  const TimeSession session = [&](const TimingOptions&) {
    return Timing{
        .first_ms = 9, .warmup_runs = 1, .settled = true, .rounds_ms = {{medians_ms[next++]}}};
  };
  return benchmark({&session, 1}, {.sessions = sessions, .pause_ms = 0})[0];
}

TEST(BenchmarkTest, StatesTheIntervalsWorkedOutByHand) {
  const Benchmark result = of({5, 1, 2, 3, 4, 9, 6, 7, 8});
  EXPECT_EQ(result.p50_ms, 5);
  // At most 1 of 9 values is below the median 10 times of 512: so often 2 to 8 miss it on either
  // side, which is below 1 of 40; 3 to 7 miss it 46 times.
  EXPECT_EQ(result.p50_ci95_ms, (IntervalMs{2, 8}));
  // The median distance is 2; 37% of 8 degrees of freedom leave 2.
  const double half = 4.303 * 1.4826 * 2 * 9 / 8.2 * std::sqrt(1 + 3.14159265 / 18);
  EXPECT_EQ(result.p50_again95_ms.first, 0);  // not below
  EXPECT_NEAR(result.p50_again95_ms.second, 5 + half, 1e-6);
  EXPECT_EQ(of({1, 2, 3}).p50_ci95_ms, (IntervalMs{1, 3}));  // all that so few can say
  EXPECT_EQ(of({1, 2}).p50_ci95_ms, (IntervalMs{1, 2}));
}

// 2^-3000 is no double. The binomial distribution is nearly normal here.
TEST(BenchmarkTest, AnyNumberOfSessionsHasAnInterval) {
  std::vector<double> medians(3000);
  std::iota(medians.begin(), medians.end(), 1.0);
  const IntervalMs interval = of(medians).p50_ci95_ms;
  EXPECT_NEAR(interval.first, 1500.5 - 1.96 * std::sqrt(750.0), 1.5);
  EXPECT_NEAR(interval.second, 1500.5 + 1.96 * std::sqrt(750.0), 1.5);
}

/// The share of trials in which `holds(benchmark of `sessions` alike sessions, another one)`.
template <typename Holds>
double share(int sessions, const Holds& holds) {
  Rng rng(1);
  int count = 0;
  constexpr int kTrials = 4000;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> medians;
    for (int s = 0; s < sessions; ++s) {
      medians.push_back(100 + rng.normal());
    }
    count += holds(of(medians), 100 + rng.normal());
  }
  return static_cast<double>(count) / kTrials;
}

bool within(double ms, const IntervalMs& interval) {
  return interval.first <= ms && ms <= interval.second;
}

// What the intervals promise, of sessions that are alike.
TEST(BenchmarkTest, AnotherSessionFallsIntoItsIntervalNineteenTimesOfTwenty) {
  const auto again = [](const Benchmark& b, double ms) { return within(ms, b.p50_again95_ms); };
  EXPECT_NEAR(share(16, again), 0.95, 0.02);
  EXPECT_NEAR(share(64, again), 0.95, 0.02);
  EXPECT_GT(share(6, again), 0.95);  // so few are no measure of their spread: too wide
}

TEST(BenchmarkTest, TheMedianIsInItsIntervalNineteenTimesOfTwenty) {
  const auto confident = [](const Benchmark& b, double) { return within(100, b.p50_ci95_ms); };
  for (const int sessions : {6, 16, 64}) {
    EXPECT_GE(share(sessions, confident), 0.94) << sessions;
    EXPECT_LE(share(sessions, confident), 0.985) << sessions;
  }
}

TEST(BenchmarkTest, DisturbedSessionsMoveLittle) {
  const Benchmark quiet = of({10.0, 10.1, 9.9, 10.2, 9.8, 10.0, 10.1, 9.9, 10.1, 9.9});
  const Benchmark disturbed = of({10.0, 10.1, 9.9, 10.2, 9.8, 10.0, 10.1, 9.9, 17, 25});
  EXPECT_NEAR(disturbed.p50_ms, quiet.p50_ms, 0.1);
  EXPECT_LT(disturbed.p50_again95_ms.second, 11);
  EXPECT_EQ(disturbed.stats.max_ms, 25);
}

TEST(BenchmarkTest, NetsAreTimedInTurns) {
  std::vector<int> order;
  std::vector<TimeSession> nets;
  for (const int net : {0, 1}) {
    nets.push_back([&order, net](const TimingOptions&) {
      order.push_back(net);
      return Timing{.rounds_ms = {{1.0 + net}}};
    });
  }
  const std::vector<Benchmark> results = benchmark(nets, {.sessions = 3, .pause_ms = 0});
  EXPECT_EQ(order, (std::vector<int>{0, 1, 0, 1, 0, 1}));
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[0].p50_ms, 1);
  EXPECT_EQ(results[1].p50_ms, 2);
}

TEST(BenchmarkTest, NamesOutliersAndKeepsThem) {
  const Benchmark result = of({10, 10.1, 9.9, 10, 10.2, 9.8, 50});
  EXPECT_EQ(result.outliers_ms, std::vector<double>{50});
  EXPECT_EQ(result.stats.count, 7);
  EXPECT_EQ(result.stats.max_ms, 50);
}

TEST(BenchmarkTest, WritesEveryKey) {
  const nlohmann::ordered_json json = to_json(of({1, 2, 3}));
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) {
    keys.push_back(key);
  }
  EXPECT_EQ(keys,
            (std::vector<std::string>{"unit", "count", "mean", "p50", "p90", "p95", "p99", "stdev",
                                      "min", "max", "p50_ci95", "p50_again95", "first", "outliers",
                                      "session_p50", "values", "warmup_runs", "settled"}));
  EXPECT_EQ(json["unit"], "ms");
  EXPECT_EQ(json["first"], 9);
  EXPECT_EQ(json["values"], (std::vector<double>{1, 2, 3}));
}

TEST(BenchmarkTest, RefusesOneSession) {
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { of({1}); }),
            "[measure::benchmark] sessions must be >= 2 and pause_ms >= 0, got 1 and 0.000000");
}

TEST(MachineConditionsTest, NameTheProcessorAndItsCores) {
  const nlohmann::ordered_json machine = machine_conditions();
  EXPECT_TRUE(machine.at("cpu").is_string());
  EXPECT_TRUE(machine.at("governor").is_string() || machine.at("governor").is_null());
  EXPECT_FALSE(machine.at("affinity").empty());
}

TEST(PinToTest, LeavesThoseCoresOnly) {
  const auto before = machine_conditions().at("affinity").get<std::vector<int>>();
  pin_to({before.front()});
  EXPECT_EQ(machine_conditions().at("affinity").get<std::vector<int>>(),
            std::vector<int>{before.front()});
  pin_to(before);
  EXPECT_EQ(text_thrown<std::invalid_argument>([] { pin_to({}); }),
            "[measure::pin_to] needs at least one core");
  EXPECT_EQ(text_thrown<Error>([] { pin_to({-1}); }), "cannot pin to cores -1: Invalid argument");
}

}  // namespace
}  // namespace lathe::measure
