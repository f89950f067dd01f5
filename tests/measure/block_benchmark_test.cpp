#include "lathe/measure/block_benchmark.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "lathe/measure/random_net.h"
#include "lathe/measure/torch_runner.h"
#include "measure/counting_runner.h"
#include "space/tiny_spaces.h"

namespace lathe::measure {
namespace {

using lathe::testing::CountingRunner;
using lathe::testing::keys_of;
using lathe::testing::tiny_mobile;

constexpr TimingOptions kOnce{.warmup_runs = 0, .rounds = 1, .runs_per_round = 1};

TEST(BenchmarkBlocksTest, TimesEveryDistinctBlockOfTheSpaceAndNoOther) {
  const auto space = space::make_mobile_space(tiny_mobile());
  std::set<std::string> of_all_nets;
  for (const space::Arch& arch : testing::every_arch(*space)) {
    of_all_nets.merge(keys_of(space->blocks(arch)));
  }
  const auto runner =
      make_torch_runner(random_net(space->graph(space->largest()), 1), {.channels_last = true});
  const latency::BlockCosts costs = benchmark_blocks(*runner, *space, kOnce, {});
  std::set<std::string> timed;
  for (const auto& [key, ms] : costs.coefficients_ms) {
    timed.insert(key);
    EXPECT_GT(ms, 0) << key;
  }
  EXPECT_EQ(timed, of_all_nets);
  EXPECT_EQ(costs.fingerprint, fingerprint(*runner, *space));
  EXPECT_EQ(costs.bias_ms, 0);
  EXPECT_TRUE(latency::BlockTable(*space, costs).missing_keys().empty());
}

TEST(BenchmarkBlocksTest, GivesEachBlockItsOwnMedian) {
  const auto space = space::make_mobile_space(tiny_mobile());
  CountingRunner runner;
  std::vector<Progress> reports;
  const latency::BlockCosts costs = benchmark_blocks(
      runner, *space, kOnce, [&](const Progress& progress) { reports.push_back(progress); });
  const std::vector<space::Block> blocks = space->distinct_blocks();
  for (const space::Block& block : blocks) {
    EXPECT_EQ(costs.coefficients_ms.at(block.key()), space::lower({&block, 1}).size());
  }
  ASSERT_EQ(reports.size(), blocks.size());
  EXPECT_EQ(reports.back().stage, "latency");
  EXPECT_EQ(reports.back().done, reports.back().total);
}

TEST(BenchmarkNetsTest, GivesASampleForEachArchInOrder) {
  const auto space = space::make_mobile_space(tiny_mobile());
  CountingRunner runner;
  const std::vector<space::Arch> archs{space->largest(), space->smallest()};
  const auto samples = benchmark_nets(runner, *space, archs,
                                      {.warmup_runs = 0, .rounds = 4, .runs_per_round = 5}, {});
  ASSERT_EQ(samples.size(), 2U);
  for (std::size_t i = 0; i < archs.size(); ++i) {
    EXPECT_EQ(samples[i].arch, archs[i]);
    EXPECT_EQ(samples[i].median_ms, space->graph(archs[i]).size() + 1);  // it takes pixels
    EXPECT_EQ(samples[i].p90_ms, samples[i].median_ms + 0.5);
    EXPECT_EQ(samples[i].repeats, 20);
  }
}

}  // namespace
}  // namespace lathe::measure
