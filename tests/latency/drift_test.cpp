#include "lathe/latency/samples/drift.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/random.h"

namespace lathe::latency {
namespace {

using Anchors = std::vector<std::vector<double>>;

TEST(DriftFactorsTest, UndoAChangeOfSpeed) {
  // Turns without noise: everything that the anchors show is drift.
  const Anchors anchors{{1, 1}, {1, 1}, {1, 1}, {2, 2}, {0.5, 0.5}};
  const std::vector<double> factors = drift_factors(anchors);
  const std::vector<double> expected{1, 1, 1, 0.5, 2};
  ASSERT_EQ(factors.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(factors[i], expected[i], 1e-12);
  }
}

TEST(DriftFactorsTest, LeaveASteadyMachineNearlyAsItIs) {
  Rng rng(1);
  Anchors steady;
  Anchors drifting;
  for (int i = 0; i < 400; ++i) {
    steady.emplace_back();
    drifting.emplace_back();
    for (int turn = 0; turn < 9; ++turn) {
      const double noise = 1 + 0.05 * rng.normal();
      steady.back().push_back(noise);
      drifting.back().push_back(noise * (i < 200 ? 1.0 : 1.2));
    }
  }
  const auto spread_of = [](const std::vector<double>& factors, std::size_t from) {
    double largest = 0;
    for (std::size_t i = from; i < from + 200; ++i) {
      largest = std::max(largest, std::abs(std::log(factors[i])));
    }
    return largest;
  };
  EXPECT_LT(spread_of(drift_factors(steady), 0), 0.03);
  const std::vector<double> factors = drift_factors(drifting);
  EXPECT_NEAR(factors[10] / factors[390], 1.2, 0.1);
}

TEST(DriftFactorsTest, AreOneWithoutAnchors) {
  EXPECT_EQ(drift_factors(Anchors{{}, {2}, {}}), (std::vector<double>{1, 1, 1}));
  EXPECT_TRUE(drift_factors(Anchors{}).empty());
}

TEST(DriftFactorsTest, RefuseTimesThatAreNone) {
  EXPECT_EQ(testing::text_thrown<std::invalid_argument>([] {
              drift_factors(Anchors{{1, 0}});
            }),
            "[latency::drift_factors] anchors must be > 0 ms, got 0.000000");
  EXPECT_EQ(testing::text_thrown<std::invalid_argument>([] { drift_factors(Anchors{{NAN}}); }),
            "[latency::drift_factors] anchors must be > 0 ms, got nan");
}

TEST(DriftBetweenTest, IsTheRatioOfTypicalAnchors) {
  const Anchors before{{1, 2, 3}, {}, {2, 2}, {40, 40}};
  const Anchors after{{3, 3}, {3, 1}};
  EXPECT_NEAR(*drift_between(before, after), std::sqrt(3.0 * std::sqrt(3.0)) / 2, 1e-12);
  EXPECT_FALSE(drift_between(before, Anchors{{}, {}}).has_value());
  EXPECT_FALSE(drift_between({}, after).has_value());
}

}  // namespace
}  // namespace lathe::latency
