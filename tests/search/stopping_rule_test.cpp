#include "lathe/search/stopping_rule.h"

#include <gtest/gtest.h>

#include <limits>

namespace lathe::search {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

TEST(StoppingRuleTest, WithoutLimitsNothingStops) {
  EXPECT_FALSE(StoppingRule(0, 0.0).stops(kMost - 1));
  EXPECT_EQ(StoppingRule(0, 0.0).share(0.1, 5).left(0), kMost);
}

TEST(StoppingRuleTest, CountsEvaluations) {
  const StoppingRule rule(100, 0.0);
  EXPECT_EQ(rule.left(40), 60);
  EXPECT_FALSE(rule.stops(99));
  EXPECT_TRUE(rule.stops(100));
  EXPECT_EQ(rule.left(200), 0);
}

TEST(StoppingRuleTest, SharesWhatIsLeft) {
  const StoppingRule half = StoppingRule(100, 0.0).share(0.5, 40);
  EXPECT_EQ(half.left(40), 30);
  EXPECT_TRUE(half.stops(70));
  EXPECT_TRUE(StoppingRule(100, 0.0).share(0.5, 100).stops(100));
}

TEST(StoppingRuleTest, TimeRunsOut) {
  EXPECT_TRUE(StoppingRule(0, 1e-9).stops(0));
  EXPECT_FALSE(StoppingRule(0, 1e6).stops(0));
  EXPECT_FALSE(StoppingRule(0, 1e300).stops(0));
  EXPECT_TRUE(StoppingRule(0, 1e6).share(1e-18, 0).stops(0));
}

}  // namespace
}  // namespace lathe::search
