#include "lathe/space/min_sum.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "space_fixtures/random_trellis.h"

namespace lathe::space {
namespace {

using lathe::testing::all_paths;
using lathe::testing::random_trellis;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The first of the paths with the least finite total.
std::optional<BestPath> enumerated(const Trellis& trellis, std::span<const double> costs) {
  std::optional<BestPath> best;
  for (const Path& path : all_paths(trellis)) {
    const double total = Trellis::total(path, costs);
    if (std::isfinite(total) && (!best || total < best->total)) {
      best = BestPath{.path = path, .total = total};
    }
  }
  return best;
}

TEST(MinSum, EqualsEnumerationTiesIncluded) {
  Rng rng(1);
  int without = 0;
  for (int round = 0; round < 500; ++round) {
    const Trellis trellis = random_trellis(rng);
    // Small integers: sums are exact and ties are many.
    std::vector<double> costs = lathe::testing::random_integer_costs(trellis, rng, 4);
    if (round % 3 == 0) {
      const double holes[] = {std::numeric_limits<double>::quiet_NaN(), kInfinity, -kInfinity};
      for (double& cost : costs) {
        cost = rng.bernoulli(0.2) ? holes[rng.below(3)] : cost;
      }
    }
    const auto expected = enumerated(trellis, costs);
    const auto found = min_sum(trellis, costs);
    ASSERT_EQ(found.has_value(), expected.has_value());
    if (found) {
      EXPECT_EQ(found->path, expected->path);
      EXPECT_EQ(found->total, expected->total);
      EXPECT_EQ(suffix_minima(trellis, costs).front(), expected->total);
    } else {
      ++without;
      EXPECT_EQ(suffix_minima(trellis, costs).front(), kInfinity);
    }
  }
  EXPECT_GT(without, 5) << "trellises without a path were among them";
}

TEST(MinSum, SuffixMinimaAreThoseOfEveryState) {
  Rng rng(2);
  for (int round = 0; round < 100; ++round) {
    const Trellis trellis = random_trellis(rng);
    const std::vector<double> costs = lathe::testing::random_integer_costs(trellis, rng, 100);
    std::vector<double> expected(trellis.num_states(), kInfinity);
    for (const Path& path : all_paths(trellis)) {
      double rest = 0;
      expected.back() = 0;
      for (std::size_t s = path.size(); s-- > 0;) {
        rest += costs[path[s]];
        double& least = expected[trellis.transition(path[s]).from];
        least = std::min(least, rest);
      }
    }
    const std::vector<double> minima = suffix_minima(trellis, costs);
    for (const Path& path : all_paths(trellis)) {
      for (const std::uint32_t t : path) {
        const std::uint32_t from = trellis.transition(t).from;
        EXPECT_EQ(minima[from], expected[from]);
      }
    }
  }
}

TEST(MinSum, AnotherGaugeLeavesThePath) {
  Rng rng(3);
  for (int round = 0; round < 200; ++round) {
    const Trellis trellis = random_trellis(rng);
    const std::vector<double> costs = lathe::testing::random_integer_costs(trellis, rng, 8);
    const auto found = min_sum(trellis, costs);
    const auto other = min_sum(trellis, lathe::testing::regauged(trellis, costs, rng, 0.25));
    ASSERT_EQ(found.has_value(), other.has_value());
    if (found) {
      EXPECT_EQ(found->path, other->path);
      EXPECT_EQ(found->total, other->total);
    }
  }
}

TEST(MinSum, RefusesAnotherNumberOfCosts) {
  Rng rng(4);
  const Trellis trellis = random_trellis(rng);
  const std::vector<double> costs(trellis.num_transitions() + 1, 0.0);
  EXPECT_EQ(lathe::testing::text_thrown<std::invalid_argument>([&] { min_sum(trellis, costs); }),
            "[space::suffix_minima] costs must have a number for each of the " +
                std::to_string(trellis.num_transitions()) + " transitions, got " +
                std::to_string(costs.size()));
}

}  // namespace
}  // namespace lathe::space
