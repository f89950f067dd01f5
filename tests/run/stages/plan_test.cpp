#include "lathe/run/stages/plan.h"

#include <gtest/gtest.h>

#include <string>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"

namespace lathe::run {
namespace {

using lathe::testing::text_thrown;

/// The quickstart on two cores, about.
PlanInputs ten_minutes() {
  return {.seconds_left = 590,
          .small_step_s = 0.05,
          .joint_step_s = 0.07,
          .evaluation_s = 0.3,
          .hand_over_s = 4,
          .answers = 5,
          .steps_per_epoch = 429};
}

double seconds_of(const Plan& plan, const PlanInputs& in) {
  return static_cast<double>(plan.small_steps) * in.small_step_s +
         static_cast<double>(plan.joint_steps) * in.joint_step_s +
         (plan.accuracy_samples + 2 * in.answers) * in.evaluation_s +
         in.answers * (in.hand_over_s + static_cast<double>(plan.fine_tune_steps) * 0.0425);
}

TEST(Plan, SpendsTheTimeThatThereIs) {
  for (const double seconds : {200.0, 590.0, 2400.0, 36000.0}) {
    PlanInputs in = ten_minutes();
    in.seconds_left = seconds;
    for (const int answers : {2, 5, 20}) {
      in.answers = answers;
      const auto plan = make_plan(in);
      ASSERT_TRUE(plan);
      if (plan->joint_steps == 0) continue;
      EXPECT_LE(seconds_of(*plan, in), seconds);
      EXPECT_GE(seconds_of(*plan, in), 0.98 * seconds) << seconds << " " << answers;
      EXPECT_GT(plan->small_steps, plan->joint_steps);
      double parts = 0;
      for (const Plan::Part& part : plan->parts) parts += part.seconds;
      EXPECT_NEAR(parts, seconds, 0.01 * seconds);
    }
  }
}

TEST(Plan, GivesAnswersStepsOfTheirOwnWhereThosePay) {
  PlanInputs in = ten_minutes();
  EXPECT_EQ(make_plan(in)->fine_tune_steps, 0) << "less than an epoch for each";
  in.seconds_left = 2400;
  EXPECT_GT(make_plan(in)->fine_tune_steps, 2 * 429);
  in.answers = 50;
  in.hand_over_s = 1;
  EXPECT_EQ(make_plan(in)->fine_tune_steps, 0);
}

TEST(Plan, TrainsOneNetWhereTimeIsShort) {
  PlanInputs in = ten_minutes();
  in.seconds_left = 80;  // less than three epochs of the small net before growth
  const auto plan = make_plan(in);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->joint_steps, 0);
  EXPECT_EQ(plan->fine_tune_steps, 0);
  EXPECT_EQ(plan->accuracy_samples, 0);
  EXPECT_GT(static_cast<double>(plan->small_steps) * in.small_step_s, 0.9 * (80 - 5 * 4));
  in.seconds_left = 590;
  in.one_net = true;
  EXPECT_EQ(make_plan(in)->joint_steps, 0);
}

TEST(Plan, NamesTheLeastThatWorks) {
  PlanInputs in = ten_minutes();
  in.seconds_left = 5;
  EXPECT_FALSE(make_plan(in));
  in.seconds_left = fewest_seconds(in);
  EXPECT_TRUE(make_plan(in));
  in.seconds_left *= 0.99;
  EXPECT_FALSE(make_plan(in));
}

TEST(Plan, IsReadBack) {
  const Plan plan = *make_plan(ten_minutes());
  const nlohmann::json json = to_json(plan);
  EXPECT_EQ(nlohmann::json(to_json(plan_from_json(json, "plan.json"))), json);
  nlohmann::json broken = json;
  broken.erase("joint_steps");
  EXPECT_EQ(text_thrown<Error>([&] { plan_from_json(broken, "plan.json"); }),
            "plan.json: \"joint_steps\": expected an integer in [-9223372036854775808, "
            "9223372036854775807], got nothing");
  EXPECT_EQ(plan_lines(plan).size(), plan.parts.size());
}

}  // namespace
}  // namespace lathe::run
