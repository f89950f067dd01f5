// A clock that the tests turn.
#include "lathe/train/pace_watch.h"

#include <gtest/gtest.h>

#include "lathe/train/strategies/plain.h"

namespace lathe::train {
namespace {

std::unique_ptr<Strategy> plan_of(std::int64_t steps) {
  return make_plain({.schedule = {.total_steps = steps}, .arch = {}});
}

/// One second a step, two from the hundredth on.
double step_s(std::int64_t step) { return step < 100 ? 1.0 : 2.0; }

TEST(PaceWatch, LeavesATrainingAloneThatKeepsItsPace) {
  const auto strategy = plan_of(200);  // 300 s
  PaceWatch watch(*strategy, step_s, 0, 1000.0);
  double now_s = 1000.0;
  for (std::int64_t step = 0; step < 200; ++step) {
    now_s += step_s(step) * 1.04;
    EXPECT_FALSE(watch.steps_that_fit(step + 1, now_s)) << step;
  }
  EXPECT_NEAR(watch.slowdown(), 1.04, 1e-6);
}

TEST(PaceWatch, APauseNowAndThenIsAPartOfThePace) {
  const auto strategy = plan_of(200);
  PaceWatch watch(*strategy, step_s, 0, 0.0);
  double now_s = 0.0;
  int changes = 0;
  for (std::int64_t step = 0; step < strategy->total_steps(); ++step) {
    now_s += step_s(strategy->planned(step)) + (step % 20 == 0 ? 2.0 : 0.0);  // a report
    if (const auto fit = watch.steps_that_fit(step + 1, now_s)) {
      ASSERT_TRUE(step + 1 == strategy->total_steps() || strategy->shorten(step + 1, *fit));
      ++changes;
    }
  }
  EXPECT_LE(changes, 5) << "each look by itself would change the plan to and fro";
  EXPECT_NEAR(now_s, 300, 0.08 * 300);
}

TEST(PaceWatch, CutsThePlanToWhatFits) {
  const auto strategy = plan_of(200);
  PaceWatch watch(*strategy, step_s, 0, 0.0);
  double now_s = 0.0, slow = 1.0;
  std::int64_t step = 0, cuts = 0;
  for (; step < strategy->total_steps(); ++step) {
    if (step == 50) slow = 4.0;  // 50 s are gone, 250 s planned are left
    now_s += step_s(strategy->planned(step)) * slow;
    if (const auto fit = watch.steps_that_fit(step + 1, now_s)) {
      EXPECT_GE(*fit, 1);
      EXPECT_TRUE(strategy->shorten(step + 1, *fit));
      ++cuts;
    }
  }
  EXPECT_GE(cuts, 1);
  EXPECT_LT(now_s, 1.2 * 300);
  EXPECT_GT(now_s, 0.8 * 300) << "no more is cut than needed";
  EXPECT_LT(step, 130);
}

TEST(PaceWatch, TakesBackACutThatWasNotNeeded) {
  const auto strategy = plan_of(200);
  PaceWatch watch(*strategy, step_s, 0, 0.0);
  double now_s = 0.0;
  for (std::int64_t step = 0; step < strategy->total_steps(); ++step) {
    now_s += step_s(strategy->planned(step)) * (step < 12 ? 2.0 : 1.0);  // slow at first alone
    if (const auto fit = watch.steps_that_fit(step + 1, now_s)) {
      ASSERT_TRUE(step + 1 == strategy->total_steps() || strategy->shorten(step + 1, *fit));
    }
  }
  EXPECT_NEAR(now_s, 300, 0.08 * 300);
}

TEST(PaceWatch, CountsFromWhereAResumedTrainingBegins) {
  const auto strategy = plan_of(200);
  PaceWatch watch(*strategy, step_s, 150, 0.0);  // 100 s are left
  EXPECT_FALSE(watch.steps_that_fit(155, 10.5));
  const auto fit = watch.steps_that_fit(156, 30.5);  // ten times slower: 70 s for 44 steps of 20 s
  ASSERT_TRUE(fit);
  EXPECT_EQ(*fit, 3);
  EXPECT_EQ(watch.steps_that_fit(157, 1e6), 1);
}

}  // namespace
}  // namespace lathe::train
