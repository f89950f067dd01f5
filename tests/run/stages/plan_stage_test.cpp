#include "lathe/run/stages/plan_stage.h"

#include <gtest/gtest.h>

#include <set>

#include "run/stage_fixtures.h"

namespace lathe::run {
namespace {

using lathe::testing::stage_space;

TEST(DrawNearTargets, DrawsWithinEachTargetAndNearIt) {
  const auto space = stage_space();
  const latency::BlockTable table = testing::table_by_macs(*space, {});
  const double low = table.predict_ms(space->smallest()), high = table.predict_ms(space->largest());
  const std::vector<double> targets_ms{low + 0.3 * (high - low), low + 0.7 * (high - low)};
  const train::NetDraw near = draw_near_targets(*space, table, targets_ms);
  EXPECT_EQ(near.name.rfind("targets ", 0), 0U);
  Rng rng(1);
  std::set<space::Arch> drawn;
  int within_first = 0;
  constexpr int kDraws = 2000;
  for (int i = 0; i < kDraws; ++i) {
    const space::Arch arch = near.draw(rng);
    EXPECT_EQ(arch, space->canonical(arch));
    const double ms = table.predict_ms(arch);
    ASSERT_LE(ms, targets_ms[1] * (1 + 1e-9));
    within_first += ms <= targets_ms[0] * (1 + 1e-9) ? 1 : 0;
    drawn.insert(arch);
  }
  EXPECT_GT(within_first, kDraws * 2 / 5) << "the targets take turns";
  EXPECT_LT(within_first, kDraws * 9 / 10);
  EXPECT_GT(drawn.size(), 50U);
  Rng once(1), again(1);
  EXPECT_EQ(near.draw(once), draw_near_targets(*space, table, targets_ms).draw(again));
}

class PlannedBounds : public ::testing::Test {
 protected:
  /// Of nets that take `factor` of what is predicted.
  Bounds bounds(std::vector<double> targets_ms, double factor, double deviation = 0.002) {
    const Trained trained{.dataset = {}, .space = space_, .weights = nullptr};
    RunOptions options;
    options.sample_targets = true;
    const auto measure = [&](const space::Arch& arch) { return factor * table_.predict_ms(arch); };
    const testing::TemporaryFolder folder;
    return *plan_stage(trained, options, {table_, measure, deviation}, targets_ms, 0,
                       open_folder(folder), [](const Progress&) {})
                .bounds;
  }
  double ms(const space::Arch& arch) const { return table_.predict_ms(arch); }

  std::shared_ptr<const space::Space> space_ = stage_space();
  latency::BlockTable table_ = testing::table_by_macs(*space_, {});
  double low_ = ms(space_->smallest()), high_ = ms(space_->largest());
  double target_ = low_ + 0.4 * (high_ - low_);
};

TEST_F(PlannedBounds, LeaveTheSmallestNetRoom) {
  const double lowest = ms(bounds({target_, high_}, 1).lowest);
  EXPECT_LE(lowest, 0.97 * target_);
  EXPECT_GT(lowest, 0.9 * target_);
}

TEST_F(PlannedBounds, LeaveMoreRoomWhereSessionsDiffer) {
  EXPECT_LE(ms(bounds({target_, high_}, 1, 0.1).lowest), guarded_ms(target_, 0.1));
}

TEST_F(PlannedBounds, CorrectAModelThatErrs) {
  const double lowest = ms(bounds({target_, high_}, 1.2).lowest);
  EXPECT_LE(1.2 * lowest, 0.97 * target_);
  EXPECT_GT(1.2 * lowest, 0.85 * target_);
}

TEST_F(PlannedBounds, DoWithoutRoomNextToTheFastestNet) {
  const Bounds found = bounds({1.001 * low_, target_}, 1);
  EXPECT_LE(ms(found.lowest), 1.001 * low_);
  EXPECT_LE(ms(found.highest), target_) << "which is not the whole space";
}

class DecidedJob : public ::testing::Test {
 protected:
  Decided decided(std::int64_t grown_steps) const {
    Decided decided;
    decided.plan = Plan{.small_steps = 60,
                        .grown_steps = grown_steps,
                        .small_step_s = {0.5, 0.2},
                        .grown_step_s = {0.7, 0.3},
                        .small_images = {0.4, 0.7}};
    decided.bounds = {space_->smallest(), grown_steps > 0 ? space_->largest() : space_->smallest()};
    return decided;
  }
  std::shared_ptr<const space::Space> space_ = stage_space();
};

TEST_F(DecidedJob, GrowsWhereThePlanSaysSo) {
  const TrainJob job = decided_job({}, decided(40), 10);
  EXPECT_EQ(job.method.name, "grow");
  EXPECT_DOUBLE_EQ(job.method.epochs, 10.0);
  EXPECT_DOUBLE_EQ(job.method.small_share, 0.6);
  EXPECT_EQ(job.train.step_s(0), 0.2) << "images of half of the side";
  EXPECT_EQ(job.train.step_s(70), 0.7);
  EXPECT_EQ(job.method.small_images.half_until, 0.4);
}

TEST_F(DecidedJob, IsPlainForOneNet) {
  const TrainJob job = decided_job({}, decided(0), 10);
  EXPECT_EQ(job.method.name, "plain");
  EXPECT_DOUBLE_EQ(job.method.epochs, 6.0);
}

TEST_F(DecidedJob, IsTheOptionsOwnWithoutABudget) {
  TrainJob job;
  job.method.name = "ofa";
  EXPECT_EQ(decided_job(job, {}, 10).method.name, "ofa");
  EXPECT_FALSE(decided_job(job, {}, 10).train.step_s);
}

}  // namespace
}  // namespace lathe::run
