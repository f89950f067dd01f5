#include "lathe/run/stages/side_by_side.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace lathe::run {
namespace {

TEST(SideBySide, KeepsAllThreadsBusyWhileThereAreNets) {
  const SideBySide five = side_by_side(5, 2, 2);
  EXPECT_EQ(five.on_one_thread, 4U);
  EXPECT_EQ(five.rest, 1U);
  EXPECT_EQ(five.threads_of_rest, 2);
  EXPECT_DOUBLE_EQ(five.seconds(100, 2), 250) << "two rounds of two, and one net twice as fast";
  EXPECT_DOUBLE_EQ(side_by_side(5, 2, 1).seconds(100, 2), 300) << "one shard can't be shared";
  EXPECT_DOUBLE_EQ(side_by_side(4, 2, 2).seconds(100, 2), 200);
  EXPECT_DOUBLE_EQ(side_by_side(3, 1, 2).seconds(100, 1), 300);
}

TEST(SideBySide, NeverHasMoreThreadsThanThereAre) {
  for (int threads = 1; threads <= 16; ++threads) {
    for (std::size_t nets = 1; nets <= 40; ++nets) {
      for (int shards = 1; shards <= 4; ++shards) {
        const SideBySide shared = side_by_side(nets, threads, shards);
        EXPECT_EQ(shared.on_one_thread + shared.rest, nets);
        EXPECT_EQ(shared.on_one_thread % static_cast<std::size_t>(threads), 0U);
        EXPECT_LE(static_cast<int>(shared.rest) * shared.threads_of_rest, threads);
        EXPECT_GE(shared.threads_of_rest, 1);
        EXPECT_LE(shared.threads_of_rest, shards);
        EXPECT_GE(shared.seconds(1, threads), static_cast<double>(nets) / threads);
      }
    }
  }
}

}  // namespace
}  // namespace lathe::run
