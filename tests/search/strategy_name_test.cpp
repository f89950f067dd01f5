#include "lathe/search/strategy_name.h"

#include <gtest/gtest.h>

#include <set>

namespace lathe::search {
namespace {

TEST(StrategyNameTest, EveryNameNamesAStrategyOfItsOwn) {
  std::set<Strategy> strategies;
  for (const std::string& name : strategy_names()) {
    const auto strategy = strategy_named(name);
    ASSERT_TRUE(strategy.has_value()) << name;
    EXPECT_EQ(to_string(*strategy), name);
    strategies.insert(*strategy);
  }
  EXPECT_EQ(strategies.size(), strategy_names().size());
  EXPECT_TRUE(strategies.contains(Strategy::kAllTargets));
  EXPECT_TRUE(strategies.contains(Strategy::kUniform));
  EXPECT_FALSE(strategy_named("All-Targets").has_value());
}

TEST(StrategyNameTest, EffortsByName) {
  EXPECT_EQ(effort_names(), (std::vector<std::string>{"fast", "normal", "thorough"}));
  EXPECT_EQ(effort_named("fast"), Effort::kFast);
  EXPECT_EQ(effort_named("normal"), Effort::kNormal);
  EXPECT_EQ(effort_named("thorough"), Effort::kThorough);
  EXPECT_FALSE(effort_named("").has_value());
}

}  // namespace
}  // namespace lathe::search
