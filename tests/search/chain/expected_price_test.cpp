// Prices against enumeration of all paths.
#include "lathe/search/chain/expected_price.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "core/temporary_folder.h"
#include "space_fixtures/random_trellis.h"

namespace lathe::search {
namespace {

using lathe::testing::all_paths;
using lathe::testing::random_trellis;
using lathe::testing::text_thrown;
using space::Path;
using space::Trellis;

std::vector<double> random_costs(std::size_t count, Rng& rng) {
  std::vector<double> costs(count);
  for (double& cost : costs) cost = 0.1 + rng.uniform();
  return costs;
}

/// The expected cost of paths with probabilities exp(-(error + price * cost) / temperature) / Z.
double expected_cost(const Trellis& trellis, const std::vector<double>& errors,
                     const std::vector<double>& costs, double price, double temperature) {
  double least = std::numeric_limits<double>::infinity();
  for (const Path& path : all_paths(trellis)) {
    least = std::min(least, Trellis::total(path, errors) + price * Trellis::total(path, costs));
  }
  double z = 0;
  double sum = 0;
  for (const Path& path : all_paths(trellis)) {
    const double cost = Trellis::total(path, costs);
    const double weight =
        std::exp(-(Trellis::total(path, errors) + price * cost - least) / temperature);
    z += weight;
    sum += weight * cost;
  }
  return sum / z;
}

TEST(ExpectedPrice, MeetsTheLimitInExpectation) {
  Rng rng(1);
  int priced = 0;
  for (int trial = 0; trial < 40; ++trial) {
    const Trellis trellis = random_trellis(rng);
    if (all_paths(trellis).empty()) continue;
    const std::vector<double> errors = random_costs(trellis.num_transitions(), rng);
    const std::vector<double> costs = random_costs(trellis.num_transitions(), rng);
    double least = std::numeric_limits<double>::infinity();
    double most = 0;
    for (const Path& path : all_paths(trellis)) {
      least = std::min(least, Trellis::total(path, costs));
      most = std::max(most, Trellis::total(path, costs));
    }
    for (const double temperature : {3.0, 0.1, 1e-3}) {
      for (const double share : {0.02, 0.3, 0.9}) {
        const double limit = least + share * (most - least);
        const ExpectedPrice found =
            price_for_expected_cost(trellis, errors, costs, temperature, limit);
        const double expected = expected_cost(trellis, errors, costs, found.price, temperature);
        EXPECT_NEAR(found.expected_cost, expected, 1e-9 * expected);
        const double free = expected_cost(trellis, errors, costs, 0.0, temperature);
        if (free <= limit) {
          EXPECT_EQ(found.price, 0.0) << "the limit binds nobody";
        } else {
          ++priced;
          EXPECT_NEAR(expected, limit, 1.01e-4 * limit);
        }
        // Any guess leads to the same price, as far as the limit is met.
        const ExpectedPrice guessed =
            price_for_expected_cost(trellis, errors, costs, temperature, limit, 17.0);
        EXPECT_NEAR(guessed.expected_cost, found.expected_cost, 2.1e-4 * limit);
      }
    }
  }
  EXPECT_GT(priced, 60);
}

TEST(ExpectedPrice, SaysWhatIsWrong) {
  const Trellis trellis(
      std::vector<std::uint32_t>{1, 2, 1},
      std::vector<std::vector<space::Transition>>{{{0, 0}, {0, 1}}, {{0, 0}, {1, 0}}});
  const std::vector<double> ones(trellis.num_transitions(), 1.0);
  const auto text = [&](double temperature, double limit) {
    return text_thrown<std::invalid_argument>(
        [&] { price_for_expected_cost(trellis, ones, ones, temperature, limit); });
  };
  EXPECT_EQ(text(0, 1), "[search::price_for_expected_cost] temperature must be > 0, got 0.000000");
  EXPECT_EQ(text(1, -1), "[search::price_for_expected_cost] limit must be > 0, got -1.000000");
  EXPECT_EQ(text(1, 0.5),
            "[search::price_for_expected_cost] limit 0.500000 is under the least cost of a path");
}

}  // namespace
}  // namespace lathe::search
