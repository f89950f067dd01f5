#include "lathe/run/stages/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"

namespace lathe::run {
namespace {

using lathe::testing::text_thrown;

/// About the quickstart's on two cores: nets of 5, 8 and 12 MMACs.
PlanInputs two_cores(double seconds) {
  return {.seconds_left = seconds,
          .nets = {{81e3, {0.047, 0.014}}, {150e3, {0.06, 0.017}}, {287e3, {0.087, 0.024}}},
          .evaluation_s = 0.3,
          .hand_over_s = 4,
          .one_net_s = 6,
          .answers = 5,
          .threads = 2,
          .steps_per_epoch = 429,
          .batch_size = 128};
}

double training_s(const Plan& plan) {
  double seconds = 0;
  for (std::int64_t step = 0; step < plan.small_steps + plan.grown_steps; ++step) {
    seconds += step_s(plan, step);
  }
  return seconds;
}

double seconds_of(const Plan& plan, const PlanInputs& in) {
  // Every thread has a net; what is left over has one for each of its two shards.
  const int rest = plan.fine_tune_nets % in.threads;
  const double rounds =
      plan.fine_tune_nets / in.threads + (rest == 0 ? 0.0 : 1.0 / std::min(2, in.threads / rest));
  return training_s(plan) + (plan.accuracy_samples + 2 * in.answers) * in.evaluation_s +
         in.answers * in.hand_over_s +
         rounds * static_cast<double>(plan.fine_tune_steps) * in.threads * fine_tune_step_s(plan);
}

TEST(Plan, SpendsTheTimeThatThereIs) {
  for (const double seconds : {900.0, 2400.0, 36000.0}) {
    for (const int answers : {2, 5, 20}) {
      for (const int threads : {1, 2, 16}) {
        PlanInputs in = two_cores(seconds);
        in.answers = answers;
        in.threads = threads;
        in.small_images = answers != 5;
        const auto plan = make_plan(in);
        ASSERT_TRUE(plan);
        if (plan->largest == 0) continue;
        EXPECT_LE(seconds_of(*plan, in), seconds);
        EXPECT_GE(seconds_of(*plan, in), 0.98 * seconds) << seconds << " " << answers;
        EXPECT_LE(plan->fine_tune_nets, answers);
        double parts = 0;
        for (const Plan::Part& part : plan->parts) parts += part.seconds;
        EXPECT_NEAR(parts, seconds, 0.01 * seconds);
      }
    }
  }
}

TEST(Plan, TrainsALargerNetWithMoreTime) {
  std::size_t largest = 0;
  for (const double seconds : {60.0, 590.0, 1200.0, 2400.0, 4800.0, 36000.0}) {
    const auto plan = make_plan(two_cores(seconds));
    ASSERT_TRUE(plan);
    EXPECT_GE(plan->largest, largest) << seconds;
    largest = plan->largest;
  }
  EXPECT_EQ(make_plan(two_cores(590))->largest, 0U);
  EXPECT_EQ(make_plan(two_cores(2400))->largest, 1U);
  EXPECT_EQ(largest, 2U);
}

TEST(Plan, TrainsOneNetWhereALargerOneSeesTooLittle) {
  const PlanInputs in = two_cores(590);
  const auto plan = make_plan(in);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->grown_steps, 0);
  EXPECT_EQ(plan->fine_tune_nets, 0);
  EXPECT_EQ(plan->accuracy_samples, 0);
  EXPECT_NEAR(training_s(*plan), 590 - 6, 1);
  PlanInputs more = in;  // targets of the one net
  more.answers = 20;
  EXPECT_EQ(make_plan(more)->small_steps, plan->small_steps);
}

TEST(Plan, ShowsTheSmallestNetSmallImagesAndAllOthersThemInTheEnd) {
  PlanInputs in = two_cores(2400);
  const Plan plan = *make_plan(in);
  ASSERT_GT(plan.grown_steps, 0);
  const auto scale = [&](std::int64_t step) {
    return plan.small_images.scale(static_cast<double>(step) /
                                   static_cast<double>(plan.small_steps + plan.grown_steps));
  };
  EXPECT_EQ(step_s(plan, 0), in.nets[0].step_s.half);
  EXPECT_EQ(scale(plan.small_steps - 1), 0.5);
  EXPECT_EQ(step_s(plan, plan.small_steps), in.nets[plan.largest].step_s.half);
  EXPECT_EQ(scale(plan.small_steps + plan.grown_steps * 70 / 100), 0.75);
  EXPECT_EQ(scale(plan.small_steps + plan.grown_steps * 80 / 100), 1);
  const Plan alone = *make_plan(two_cores(590));
  EXPECT_EQ(alone.small_images.scale(0.4), 0.5);
  EXPECT_EQ(alone.small_images.scale(0.8), 1);
  in.small_images = false;
  EXPECT_FALSE(make_plan(in)->small_images.any());
}

TEST(Plan, TrainsOneNetWhereThereIsNoOther) {
  PlanInputs in = two_cores(36000);
  in.nets.resize(1);
  EXPECT_EQ(make_plan(in)->grown_steps, 0);
  in.nets.clear();
  EXPECT_THROW(make_plan(in), std::invalid_argument);
}

TEST(Plan, GivesAsManyAnswersStepsOfTheirOwnAsThatDoesGood) {
  PlanInputs in = two_cores(2400);
  in.answers = 20;
  const auto few = make_plan(in);
  EXPECT_GE(few->fine_tune_nets, 2);
  EXPECT_LT(few->fine_tune_nets, 20);
  EXPECT_GE(few->fine_tune_steps, 8 * 429);
  in.seconds_left = 36000;
  EXPECT_EQ(make_plan(in)->fine_tune_nets, 20);
}

TEST(Plan, NamesTheLeastThatWorks) {
  PlanInputs in = two_cores(590);
  in.seconds_left = 5;
  EXPECT_FALSE(make_plan(in));
  in.seconds_left = fewest_seconds(in);
  EXPECT_TRUE(make_plan(in));
  in.seconds_left *= 0.99;
  EXPECT_FALSE(make_plan(in));
}

TEST(Plan, IsReadBack) {
  const Plan plan = *make_plan(two_cores(2400));
  const nlohmann::json json = to_json(plan);
  EXPECT_EQ(nlohmann::json(to_json(plan_from_json(json, "plan.json"))), json);
  EXPECT_EQ(json.at("small_step_s").at("half"), 0.014);
  EXPECT_EQ(json.at("small_images").at("half_until"), plan.small_images.half_until);
  nlohmann::json older = json;
  older.erase("small_images");
  older["small_step_s"] = 0.05;
  EXPECT_FALSE(plan_from_json(older, "plan.json").small_images.any());
  EXPECT_EQ(plan_from_json(older, "plan.json").small_step_s.half, 0.05);
  nlohmann::json broken = json;
  broken.erase("grown_steps");
  EXPECT_EQ(text_thrown<Error>([&] { plan_from_json(broken, "plan.json"); }),
            "plan.json: \"grown_steps\": expected an integer in [-9223372036854775808, "
            "9223372036854775807], got nothing");
  EXPECT_EQ(plan_lines(plan).size(), plan.parts.size());
}

}  // namespace
}  // namespace lathe::run
