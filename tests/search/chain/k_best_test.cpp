#include "lathe/search/chain/k_best.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "space_fixtures/random_trellis.h"

namespace lathe::search {
namespace {

using lathe::testing::all_paths;
using lathe::testing::random_trellis;
using space::BestPath;
using space::Trellis;

// All finite paths by total, then lexicographically.
std::vector<BestPath> enumerated(const Trellis& trellis, std::span<const double> costs) {
  std::vector<BestPath> all;
  for (const space::Path& path : all_paths(trellis)) {
    if (const double total = Trellis::total(path, costs); std::isfinite(total)) {
      all.push_back({.path = path, .total = total});
    }
  }
  std::ranges::stable_sort(all, {}, &BestPath::total);
  return all;
}

TEST(KBestTest, EqualsEnumerationTiesIncluded) {
  Rng rng(1);
  for (int round = 0; round < 400; ++round) {
    const Trellis trellis = random_trellis(rng);
    std::vector<double> costs = lathe::testing::random_integer_costs(trellis, rng, 5);
    if (round % 3 == 0) {
      for (double& cost : costs) {
        cost = rng.bernoulli(0.1) ? std::numeric_limits<double>::quiet_NaN() : cost;
      }
    }
    const std::vector<BestPath> expected = enumerated(trellis, costs);
    for (const std::size_t k :
         {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{5000}}) {
      const std::vector<BestPath> found = k_best(trellis, costs, k);
      ASSERT_EQ(found.size(), std::min(k, expected.size()));
      for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_EQ(found[i].path, expected[i].path) << round << " " << i;
        EXPECT_EQ(found[i].total, expected[i].total);
      }
    }
  }
}

TEST(KBestTest, TheFirstIsTheCheapestPath) {
  Rng rng(2);
  for (int round = 0; round < 100; ++round) {
    const Trellis trellis = random_trellis(rng);
    const std::vector<double> costs = lathe::testing::random_costs(trellis, rng, -1, 1);
    const auto best = space::min_sum(trellis, costs);
    const auto found = k_best(trellis, costs, 1);
    ASSERT_EQ(found.size(), best ? 1U : 0U);
    if (best) {
      EXPECT_EQ(found.front().path, best->path);
    }
  }
}

TEST(KBestTest, RefusesWhatMemoryCantHold) {
  Rng rng(3);
  const Trellis trellis = random_trellis(rng);
  const std::vector<double> costs(trellis.num_transitions(), 1.0);
  EXPECT_EQ(lathe::testing::text_thrown<std::invalid_argument>(
                [&] { k_best(trellis, costs, 100'000'000); }),
            "[search::k_best] k times the states must be at most 10^8, got 100000000 x " +
                std::to_string(trellis.num_states()));
}

}  // namespace
}  // namespace lathe::search
