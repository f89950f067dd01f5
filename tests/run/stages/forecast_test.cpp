#include "lathe/run/stages/forecast.h"

#include <gtest/gtest.h>

#include "lathe/graph/counts.h"
#include "run/stage_fixtures.h"

namespace lathe::run {
namespace {

using lathe::testing::open_folder;
using lathe::testing::stage_space;
using lathe::testing::synthetic_dataset;

class Forecast : public ::testing::Test {
 protected:
  Trained trained(const std::string& method) const {
    return {.dataset = synthetic_dataset(400, 40, 40), .space = stage_space(), .method = method};
  }
  static TrainJob job(const std::string& method) {
    TrainJob job;
    job.method.name = method;
    job.method.epochs = 8;
    job.train.batch_size = 40;
    job.threads = 1;
    return job;
  }
  testing::TemporaryFolder temporary_;
  RunFolder folder_ = open_folder(temporary_);
};

TEST_F(Forecast, ANetAloneTakesAsLongAtEachStep) {
  Trained plain = trained("plain");
  plain.arch = plain.space->smallest();
  const TrainingForecast forecast = forecast_training(plain, job("plain"), folder_);
  EXPECT_EQ(forecast.steps, 80);
  EXPECT_GT(forecast.first_step_s, 0);
  EXPECT_DOUBLE_EQ(forecast.seconds, 80 * forecast.first_step_s);
  EXPECT_FALSE(std::filesystem::exists(folder_.root() / "pace")) << "what was tried";
}

TEST_F(Forecast, StepsOfMoreNetsTakeLonger) {
  TrainJob deps = job("deps");
  deps.method.random_subnets = 0;
  deps.method.warmup_share = 0.5;
  deps.method.ramp_share = 0;
  const Trained supernet = trained("deps");
  const TrainingForecast forecast = forecast_training(supernet, deps, folder_);
  const auto macs = [&](const space::Arch& arch) {
    return static_cast<double>(graph::macs(supernet.space->graph(arch)));
  };
  // The largest alone for half of the steps, then the smallest beside it.
  const double smallest = macs(supernet.space->smallest()) / macs(supernet.space->largest());
  EXPECT_NEAR(forecast.seconds / (80 * forecast.first_step_s), 1 + 0.5 * smallest, 1e-9);
}

TEST_F(Forecast, StepsOnSmallerImagesTakeWhatWasMeasuredOfThem) {
  Trained plain = trained("plain");
  plain.arch = plain.space->largest();
  TrainJob small = job("plain");
  small.method.small_images = train::SmallImages::over(1);
  const train::StepSeconds step_s{.full = 0.5, .half = 0.2};
  const TrainingForecast forecast = forecast_training(plain, small, step_s);
  EXPECT_EQ(forecast.steps, 80);
  EXPECT_DOUBLE_EQ(forecast.first_step_s, 0.5);
  EXPECT_NEAR(forecast.seconds, 80 * small.method.small_images.mean_s(step_s), 1e-9);
  EXPECT_LT(forecast.seconds, 80 * 0.5);
  small.budget_s = 20;
  const TrainingForecast budget = forecast_training(plain, small, step_s);
  EXPECT_NEAR(budget.seconds, 20, 0.5);
  EXPECT_GT(budget.steps, 40) << "more than fit with images of full size";
}

TEST_F(Forecast, ABudgetIsUsedUp) {
  Trained plain = trained("plain");
  plain.arch = plain.space->largest();
  TrainJob budget = job("plain");
  budget.budget_s = 20;
  const TrainingForecast forecast = forecast_training(plain, budget, folder_);
  EXPECT_NEAR(forecast.seconds, 20, forecast.first_step_s);
}

}  // namespace
}  // namespace lathe::run
