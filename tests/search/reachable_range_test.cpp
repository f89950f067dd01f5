#include "lathe/search/reachable_range.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/graph/counts.h"
#include "search/synthetic_models.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::search {
namespace {

using lathe::testing::SyntheticLatency;
using lathe::testing::TinySpace;

TEST(ReachableRangeTest, EqualsEnumeration) {
  const TinySpace space;
  const auto archs = lathe::testing::all_archs(space);
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const SyntheticLatency latency(space, seed);
    double least_ms = std::numeric_limits<double>::infinity();
    double most_ms = 0;
    for (const space::Arch& arch : archs) {
      least_ms = std::min(least_ms, latency.predict_ms(arch));
      most_ms = std::max(most_ms, latency.predict_ms(arch));
    }
    const ReachableRange range = reachable_range(space, latency);
    ASSERT_EQ(range.fastest.predicted_ms, least_ms) << seed;
    ASSERT_EQ(range.slowest.predicted_ms, most_ms) << seed;
    ASSERT_EQ(latency.predict_ms(range.fastest.arch), least_ms);
    ASSERT_EQ(latency.predict_ms(range.slowest.arch), most_ms);
    ASSERT_EQ(fastest_net(space, latency), range.fastest);
  }
}

TEST(ReachableRangeTest, WithinLimitsEqualsEnumeration) {
  const TinySpace space;
  const auto archs = lathe::testing::all_archs(space);
  const auto middle = [&](std::int64_t (*count)(const graph::Graph&)) {
    return 0.5 * static_cast<double>(count(space.graph(space.smallest())) +
                                     count(space.graph(space.largest())));
  };
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const SyntheticLatency latency(space, seed);
    const CostLimits limits(space,
                            {.max_macs = middle(graph::macs), .max_params = middle(graph::params)});
    double least_ms = std::numeric_limits<double>::infinity();
    double most_ms = 0;
    for (const space::Arch& arch : archs) {
      if (!limits.allow(arch)) continue;
      least_ms = std::min(least_ms, latency.predict_ms(arch));
      most_ms = std::max(most_ms, latency.predict_ms(arch));
    }
    const auto range = range_within(space, latency, limits);
    ASSERT_TRUE(range);
    EXPECT_TRUE(limits.allow(range->slowest.arch));
    EXPECT_TRUE(limits.allow(range->fastest.arch));
    EXPECT_EQ(range->fastest.predicted_ms, least_ms) << seed;
    // A limit is in the way: a local optimum.
    EXPECT_GT(range->slowest.predicted_ms, 0.9 * most_ms) << seed;
    EXPECT_LE(range->slowest.predicted_ms, most_ms) << seed;
    EXPECT_FALSE(range_within(space, latency, CostLimits(space, {.max_params = 1})));
  }
}

TEST(ReachableRangeTest, RefusesAModelOfAnotherSpace) {
  const TinySpace space;
  const TinySpace other(2, "other");
  const SyntheticLatency latency(other, 1);
  EXPECT_EQ(
      lathe::testing::text_thrown<std::invalid_argument>([&] { reachable_range(space, latency); }),
      "[search::reachable_range] the latency model must be of space tiny, got one of other");
}

}  // namespace
}  // namespace lathe::search
