#include "lathe/measure/benchmark.h"

#include <gtest/gtest.h>

#include <cmath>
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
  return benchmark(
      [&](const TimingOptions&) {
        return Timing{
            .first_ms = 9, .warmup_runs = 1, .settled = true, .rounds_ms = {{medians_ms[next++]}}};
      },
      {.sessions = sessions, .pause_ms = 0});
}

TEST(BenchmarkTest, StatesTheIntervalsWorkedOutByHand) {
  const Benchmark result = of({1, 2, 3});
  EXPECT_EQ(result.p50_ms, 2);
  const double spread = 4.303 * 1.0;                // t of two degrees of freedom, deviation 1
  EXPECT_NEAR(result.p50_ci95_ms.first, 0, 1e-12);  // not below: 2 - 2.48
  EXPECT_NEAR(result.p50_ci95_ms.second, 2 + spread / std::sqrt(3), 1e-12);
  EXPECT_NEAR(result.p50_again95_ms.second, 2 + spread * std::sqrt(4.0 / 3), 1e-12);
}

// What the second interval promises, of sessions that are alike.
TEST(BenchmarkTest, AnotherSessionFallsIntoItsIntervalNineteenTimesOfTwenty) {
  Rng rng(1);
  int within = 0;
  constexpr int kTrials = 4000;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> medians;
    for (int s = 0; s < 8; ++s) {
      medians.push_back(100 + rng.normal());
    }
    const Benchmark result = of(medians);
    const double again = 100 + rng.normal();
    within += again >= result.p50_again95_ms.first && again <= result.p50_again95_ms.second;
  }
  EXPECT_NEAR(static_cast<double>(within) / kTrials, 0.95, 0.02);
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
