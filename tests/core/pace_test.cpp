#include "lathe/core/pace.h"

#include <gtest/gtest.h>

namespace lathe {
namespace {

TEST(PaceTest, AnEvenPaceIsKnownExactly) {
  Pace pace;
  for (int second = 0; second <= 100; ++second) {
    const auto left = pace.seconds_left(5 * second, 500, 1000.0 + second);
    if (second < 3) {
      EXPECT_FALSE(left.has_value()) << second;
    } else {
      ASSERT_TRUE(left.has_value()) << second;
      EXPECT_NEAR(*left, 100 - second, 1e-9);
    }
  }
}

TEST(PaceTest, WhatWasDoneBeforeTheFirstReportIsNoPace) {
  Pace pace;  // a stage that was resumed at 400 of 500
  pace.seconds_left(400, 500, 0.0);
  EXPECT_NEAR(pace.seconds_left(410, 500, 10.0).value(), 90.0, 1e-9);
}

TEST(PaceTest, FollowsAChangeOfPace) {
  Pace pace;
  // A unit a second for 100 seconds, then one in four.
  for (int second = 0; second <= 100; ++second) pace.seconds_left(second, 200, second);
  double left = 0.0;
  for (int second = 104; second <= 300; second += 4) {
    left = pace.seconds_left(75 + second / 4, 200, second).value();
  }
  EXPECT_NEAR(left, 4.0 * (200 - 150), 1e-9);
}

TEST(PaceTest, ManyReportsAtOnceChangeNothing) {
  Pace pace;
  for (int i = 0; i <= 10000; ++i) {
    const auto left = pace.seconds_left(i, 20000, 0.001 * i);
    if (i == 10000) {
      EXPECT_NEAR(left.value(), 10.0, 1e-6);
    }
  }
}

TEST(PaceTest, SaysNothingOfAStageThatStandsStill) {
  Pace pace;
  pace.seconds_left(1, 10, 0.0);
  EXPECT_TRUE(pace.seconds_left(2, 10, 5.0).has_value());
  EXPECT_FALSE(pace.seconds_left(2, 10, 30.0).has_value());
}

TEST(PaceTest, AnotherStageBeginsAnew) {
  Pace pace;
  pace.seconds_left(0, 10, 0.0);
  EXPECT_TRUE(pace.seconds_left(5, 10, 50.0).has_value());
  EXPECT_FALSE(pace.seconds_left(6, 20, 51.0).has_value());  // another total
  EXPECT_NEAR(pace.seconds_left(10, 20, 55.0).value(), 10.0, 1e-9);
  EXPECT_FALSE(pace.seconds_left(1, 20, 56.0).has_value());  // less done
}

TEST(ClockTextTest, ByHand) {
  EXPECT_EQ(clock_text(0), "0:00");
  EXPECT_EQ(clock_text(6.2), "0:07");
  EXPECT_EQ(clock_text(250), "4:10");
  EXPECT_EQ(clock_text(3599.5), "1:00:00");
  EXPECT_EQ(clock_text(3723), "1:02:03");
  EXPECT_EQ(clock_text(360000), "100:00:00");
}

}  // namespace
}  // namespace lathe
