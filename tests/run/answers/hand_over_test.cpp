#include "lathe/run/answers/hand_over.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "lathe/run/answers/winners.h"

namespace lathe::run {
namespace {

constexpr double kAlpha = 0.005;

/// Thirteen sessions that kept a limit of 1 ms, then those of `script_ms`, in this order, again and
/// again.
std::vector<double> after_thirteen(const std::vector<double>& script_ms) {
  std::size_t next = 0;
  return more_sessions(std::vector<double>(13, 0.9), 1, kAlpha,
                       [&] { return script_ms[next++ % script_ms.size()]; });
}

TEST(MoreSessions, AreThreeWhereTheyChangeNothing) {
  EXPECT_EQ(after_thirteen({0.8}).size(), 16U);
  EXPECT_EQ(after_thirteen({0.8}).back(), 0.8);
  EXPECT_EQ(more_sessions(std::vector<double>(20, 1.1), 1, kAlpha, [] { return 1.1; }).size(), 23U);
}

TEST(MoreSessions, GoOnUntilABurstIsMadeUpFor) {
  const std::vector<double> burst{1.2, 1.2, 1.2, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9};
  const std::vector<double> all = after_thirteen(burst);
  EXPECT_GT(all.size(), 16U);
  EXPECT_LT(all.size(), 13 + burst.size());
  EXPECT_EQ(all.back(), 0.9);
}

TEST(MoreSessions, EndAtTheMostThereMayBe) {
  EXPECT_EQ(after_thirteen({1.2, 1.2, 0.9, 0.9}).size(), static_cast<std::size_t>(kMostSessions));
  EXPECT_EQ(more_sessions(std::vector<double>(40, 0.9), 1, 1e-30, [] { return 0.9; }).size(), 43U);
}

}  // namespace
}  // namespace lathe::run
