#include "lathe/train/strategies/first_steps.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/train/strategies/grow.h"
#include "nn/small_space.h"

namespace lathe::train {
namespace {

using lathe::testing::small_space;
using lathe::testing::text_thrown;

TEST(FirstSteps, AreThoseOfTheWhole) {
  const auto space = small_space();
  const GrowOptions options{.schedule = {.peak = 0.5, .total_steps = 100, .warmup_steps = 20},
                            .small_share = 0.5,
                            .seed = 2};
  const auto whole = make_grow(*space, options);
  const FirstSteps first(make_grow(*space, options), 30);
  EXPECT_EQ(first.total_steps(), 30);
  for (std::int64_t step = 0; step < 30; ++step) {
    const StepPlan plan = first.plan(step);
    EXPECT_EQ(plan.learning_rate, whole->plan(step).learning_rate);
    ASSERT_EQ(plan.passes.size(), 1U) << "the smallest alone, as in half of the whole's steps";
    EXPECT_EQ(plan.passes[0].arch, space->smallest());
  }
}

TEST(FirstSteps, AreNoMoreThanThereAre) {
  const auto space = small_space();
  const GrowOptions ten{.schedule = {.total_steps = 10}};
  EXPECT_EQ(FirstSteps(make_grow(*space, ten), 30).total_steps(), 10);
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { FirstSteps(make_grow(*space, ten), 0); }),
            "[train::FirstSteps] steps must be > 0, got 0");
}

}  // namespace
}  // namespace lathe::train
