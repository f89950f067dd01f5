// Bounds against the list of all nets of tiny spaces.
#include "lathe/search/target_bounds.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/graph/counts.h"
#include "lathe/latency/models/block_table.h"
#include "space/tiny_spaces.h"

namespace lathe::search {
namespace {

using lathe::testing::text_thrown;

/// Blocks whose times have little to do with their multiply-accumulates.
latency::BlockTable random_table(const space::Space& space, std::uint64_t seed) {
  Rng rng(seed);
  latency::BlockCosts costs{.bias_ms = 0.1};
  for (const space::Block& block : space.distinct_blocks()) {
    costs.coefficients_ms[block.key()] = 0.2 + rng.uniform();
  }
  return {space, std::move(costs)};
}

double macs(const space::Space& space, const space::Arch& arch) {
  return static_cast<double>(graph::macs(space.graph(arch)));
}

TEST(TargetBounds, AreTheLargestNetsWithinTheTargets) {
  for (auto& owned : testing::tiny_spaces()) {
    const std::shared_ptr<const space::Space> space = std::move(owned);
    const latency::BlockTable table = random_table(*space, 5);
    const std::vector<space::Arch> all = testing::every_arch(*space);
    std::vector<double> latencies_ms(all.size());
    table.predict_ms(all, latencies_ms);
    std::vector<double> sorted = latencies_ms;
    std::sort(sorted.begin(), sorted.end());
    const double fast_ms = sorted[sorted.size() / 5], slow_ms = sorted[sorted.size() * 4 / 5];
    const auto bounds = target_bounds(space, table, fast_ms, slow_ms);
    ASSERT_TRUE(bounds);
    EXPECT_LE(table.predict_ms(bounds->lowest), fast_ms);
    EXPECT_LE(table.predict_ms(bounds->highest), slow_ms);
    double most_fast = 0, most_slow = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      bool contains = true;
      for (std::size_t d = 0; d < all[i].choices.size(); ++d) {
        contains = contains && (!space->alive(bounds->lowest, static_cast<int>(d)) ||
                                all[i].choices[d] >= bounds->lowest.choices[d]);
      }
      if (latencies_ms[i] <= fast_ms) most_fast = std::max(most_fast, macs(*space, all[i]));
      if (latencies_ms[i] <= slow_ms && contains) {
        most_slow = std::max(most_slow, macs(*space, all[i]));
      }
    }
    EXPECT_EQ(macs(*space, bounds->lowest), most_fast) << space->name();
    EXPECT_EQ(macs(*space, bounds->highest), most_slow) << space->name();
    for (std::size_t d = 0; d < bounds->lowest.choices.size(); ++d) {
      EXPECT_GE(bounds->highest.choices[d], bounds->lowest.choices[d]);
    }
  }
}

TEST(TargetBounds, KeepOtherLimits) {
  for (auto& owned : testing::tiny_spaces()) {
    const std::shared_ptr<const space::Space> space = std::move(owned);
    const latency::BlockTable table = random_table(*space, 7);
    const std::vector<space::Arch> all = testing::every_arch(*space);
    std::vector<double> latencies_ms(all.size());
    table.predict_ms(all, latencies_ms);
    std::vector<double> sorted = latencies_ms;
    std::sort(sorted.begin(), sorted.end());
    const double fast_ms = sorted[sorted.size() / 2], slow_ms = sorted.back();
    const auto middle = [&](std::int64_t (*count)(const graph::Graph&)) {
      return 0.5 * static_cast<double>(count(space->graph(space->smallest())) +
                                       count(space->graph(space->largest())));
    };
    std::vector<Constraints> cases{
        {.max_macs = middle(graph::macs)},
        {.max_params = middle(graph::params)},
        {.max_macs = middle(graph::macs), .max_params = middle(graph::params)}};
    if (space->is_chain()) {
      cases.push_back({.max_memory_mb = middle(graph::peak_memory_bytes) / 1e6});
    }
    for (const Constraints& constraints : cases) {
      const CostLimits limits(*space, constraints);
      const auto bounds = target_bounds(space, table, fast_ms, slow_ms, constraints);
      ASSERT_TRUE(bounds) << space->name();
      EXPECT_LE(table.predict_ms(bounds->lowest), fast_ms);
      EXPECT_LE(table.predict_ms(bounds->highest), slow_ms);
      double most = 0, largest_between = 0;
      for (std::size_t i = 0; i < all.size(); ++i) {
        const bool above =
            std::ranges::equal(bounds->lowest.choices, all[i].choices,
                               [](std::uint8_t low, std::uint8_t high) { return low <= high; });
        const bool below =
            std::ranges::equal(all[i].choices, bounds->highest.choices,
                               [](std::uint8_t low, std::uint8_t high) { return low <= high; });
        if (above && below) {
          EXPECT_TRUE(limits.allow(all[i])) << space->to_json(all[i]).dump();
          largest_between = std::max(largest_between, macs(*space, all[i]));
        }
        if (latencies_ms[i] <= fast_ms && limits.allow(all[i])) {
          most = std::max(most, macs(*space, all[i]));
        }
      }
      EXPECT_EQ(macs(*space, bounds->lowest), most) << space->name();
      EXPECT_EQ(macs(*space, bounds->highest), largest_between);
    }
    EXPECT_FALSE(target_bounds(space, table, fast_ms, slow_ms, {.max_macs = 1}));
  }
}

TEST(TargetBounds, AreNoneBelowTheFastestNetAndOneNetAboveTheSlowest) {
  const std::shared_ptr<const space::Space> space =
      space::make_mobile_space(testing::tiny_mobile());
  const latency::BlockTable table = random_table(*space, 6);
  EXPECT_FALSE(target_bounds(space, table, 0.01, 1e6));
  const auto bounds = target_bounds(space, table, 1e5, 1e6);
  ASSERT_TRUE(bounds);
  EXPECT_EQ(bounds->lowest, space->largest());
  EXPECT_EQ(bounds->highest, space->largest());
  // Nor where the largest net is the slowest, wherever its latency falls between bins.
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Rng rng(seed);
    latency::BlockCosts costs{.bias_ms = 0.1};
    for (const space::Block& block : space->distinct_blocks()) {
      const auto block_macs = static_cast<double>(graph::macs(space::lower({&block, 1})));
      costs.coefficients_ms[block.key()] = 1e-5 * block_macs * (1 + 0.2 * rng.uniform());
    }
    const auto all = target_bounds(space, latency::BlockTable(*space, std::move(costs)), 1e5, 1e6);
    ASSERT_TRUE(all);
    EXPECT_EQ(all->lowest, space->largest()) << seed;
  }
  EXPECT_EQ(
      text_thrown<std::invalid_argument>([&] { target_bounds(space, table, 2, 1); }).substr(0, 60),
      "[search::target_bounds] needs fastest_ms <= slowest_ms and a");
}

}  // namespace
}  // namespace lathe::search
