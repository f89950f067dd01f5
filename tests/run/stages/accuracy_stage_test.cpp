#include "lathe/run/stages/accuracy_stage.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include "lathe/accuracy/perceptron_predictor.h"
#include "lathe/accuracy/width_scores.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/train/predictors/fit_accuracy_predictor.h"
#include "run/stage_fixtures.h"

namespace lathe::run {
namespace {

using lathe::testing::open_folder;
using lathe::testing::ScriptedRunner;
using lathe::testing::stage_space;
using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;

class AccuracyStageTest : public ::testing::Test {
 protected:
  /// How the perceptron that the stage gives was fitted.
  accuracy::PredictorFit predict(std::uint64_t seed, const AccuracyOptions& options) {
    trained_.seed = seed;
    const Predictor predictor =
        predict_accuracy(trained_, table_, evaluator_, options, folder_.root(), folder_,
                         [&](const Progress& p) { passes_ += p.total > 0 ? 1 : 0; });
    return dynamic_cast<const accuracy::PerceptronPredictor&>(*predictor.model).fit();
  }
  accuracy::PredictorFit predict(std::uint64_t seed = 0) { return predict(seed, few()); }

  static AccuracyOptions few() {
    AccuracyOptions options{.samples = 12, .validation_images = 40, .folds = 3};
    options.fit.hidden = {16};
    options.fit.epochs = 20;
    return options;
  }

  TemporaryFolder temporary_;
  RunFolder folder_ = open_folder(temporary_);
  std::shared_ptr<const space::Space> space_ = stage_space();
  latency::BlockTable table_ =
      testing::table_by_macs(*space_, measure::fingerprint(ScriptedRunner(), *space_));
  Trained trained_{.dataset = testing::synthetic_dataset(100, 40, 20),
                   .space = space_,
                   .weights = std::make_unique<nn::Supernet>(space_, nn::WeightOptions{.seed = 1}),
                   .method = "deps"};
  train::Evaluator evaluator_{trained_.dataset, {.calibration_images = 50, .batch_size = 25}};
  int passes_ = 0;  ///< over the images, by the progress reports: four subnets each
};

TEST_F(AccuracyStageTest, EvaluatesSubnetsAndFitsAPredictorToThem) {
  const auto predictor = predict(3);
  EXPECT_EQ(passes_, 3);
  const auto read = accuracy::read_samples(folder_.accuracy_samples(), *space_);
  EXPECT_EQ(read.conditions.weights, content_hash(trained_.weights->state()));
  EXPECT_EQ(read.conditions.validation_images, 40);
  EXPECT_EQ(read.conditions.dataset, trained_.dataset.name);
  EXPECT_EQ(read.conditions.seed, 3U);
  ASSERT_EQ(read.samples.size(), 12U);
  double last_ms = 0.0;
  for (const accuracy::AccuracySample& sample : read.samples) {
    EXPECT_EQ(sample.accuracy,
              evaluator_.validation_top1(*trained_.weights, space_->graph(sample.arch), 40));
    EXPECT_GE(table_.predict_ms(sample.arch), last_ms);  // evenly over the range, ascending
    last_ms = table_.predict_ms(sample.arch);
  }
  EXPECT_EQ(read.samples.front().arch, space_->smallest());
  EXPECT_EQ(read.samples.back().arch, space_->largest());
  // The fit is that of the samples alone, with the run's seed.
  const train::FitAccuracyOptions options{.perceptron = few().fit, .folds = 3, .seed = 3};
  EXPECT_EQ(predictor, train::fit_accuracy_predictor(*space_, read.samples, options));
  EXPECT_EQ(accuracy::PerceptronPredictor::load(*space_, folder_.accuracy_predictor()).fit(),
            predictor);
}

TEST_F(AccuracyStageTest, DoesNotDependOnTheNumberOfThreads) {
  const auto alone = predict();
  const std::string samples = read_file(folder_.accuracy_samples());
  std::filesystem::remove(folder_.accuracy_predictor());
  std::filesystem::remove(folder_.accuracy_samples());
  AccuracyOptions options = few();
  options.threads = 5;  // does not divide the number of subnets
  const auto side_by_side = predict(0, options);
  EXPECT_EQ(read_file(folder_.accuracy_samples()), samples);
  EXPECT_EQ(side_by_side, alone);
}

TEST_F(AccuracyStageTest, IsNotDoneAgain) {
  const auto predictor = predict();
  const auto again = predict();
  EXPECT_EQ(passes_, 3);
  EXPECT_EQ(again, predictor);
}

TEST_F(AccuracyStageTest, GoesOnAfterTheLastSubnet) {
  const auto whole = predict();
  const std::string all = read_file(folder_.accuracy_samples());
  // Cut within the ninth line, as a crash while appending leaves it.
  std::size_t end = 0;
  for (int i = 0; i < 8; ++i) {
    end = all.find('\n', end) + 1;
  }
  write_file_atomic(folder_.accuracy_samples(), all.substr(0, end + 10));
  std::filesystem::remove(folder_.accuracy_predictor());
  passes_ = 0;
  const auto resumed = predict();
  EXPECT_EQ(passes_, 2);
  EXPECT_EQ(read_file(folder_.accuracy_samples()), all);
  EXPECT_EQ(resumed, whole);
}

TEST_F(AccuracyStageTest, RefusesTheSubnetsOfAnotherSeedOrOtherWeights) {
  predict(0);
  std::filesystem::remove(folder_.accuracy_predictor());
  const std::string begin =
      folder_.accuracy_samples().string() + ": evaluated under other conditions: ";
  EXPECT_EQ(text_thrown<Error>([&] { predict(1); }),
            begin + "seed: 0 against 1; name another file");
  const std::string before = content_hash(trained_.weights->state());
  TensorMap state = trained_.weights->state();
  state.begin()->second.values.front() += 1.0F;
  trained_.weights->load_state(state, "changed");
  EXPECT_EQ(text_thrown<Error>([&] { predict(0); }),
            begin + "weights: \"" + before + "\" against \"" +
                content_hash(trained_.weights->state()) + "\"; name another file");
}

TEST_F(AccuracyStageTest, RefusesMoreSubnetsThanItWouldDraw) {
  predict();
  std::filesystem::remove(folder_.accuracy_predictor());
  const std::string all = read_file(folder_.accuracy_samples());
  const std::size_t second = all.find('\n') + 1;
  write_file_atomic(folder_.accuracy_samples(),
                    all + all.substr(second, all.find('\n', second) + 1 - second));
  EXPECT_EQ(text_thrown<Error>([&] { predict(); }),
            folder_.accuracy_samples().string() +
                ":14: is not the subnet that is drawn here; name another file");
}

TEST_F(AccuracyStageTest, OneNetTrainedAloneHasNoSubnets) {
  trained_.arch = space_->largest();
  EXPECT_EQ(
      text_thrown<Error>([&] { predict(); }),
      "the run trained one net alone, which has no subnets; train a supernet (--method deps)");
}

TEST_F(AccuracyStageTest, TakesTheScoresOfWidthsWithALineToAccuracies) {
  accuracy::WidthScoreTable table;
  for (const space::Decision& decision : space_->decisions()) {
    table.emplace_back();
    for (int i = 0; i < decision.num_choices(); ++i) {
      table.back().push_back(accuracy::WidthScore{0.01 * (decision.num_choices() - i), 0.001, 9});
    }
  }
  const accuracy::WidthScores scores(*space_, table);
  scores.save(folder_.root() / kScoresName);
  const auto predictor = [&](const std::filesystem::path& from) {
    return predict_accuracy(trained_, table_, evaluator_, few(), from, folder_,
                            [&](const Progress& p) { passes_ += p.total > 0 ? 1 : 0; });
  };
  const Predictor first = predictor(folder_.root());
  EXPECT_EQ(passes_, 3);
  EXPECT_EQ(first.samples, 12);
  EXPECT_NE(first.model->error_costs(), nullptr);
  const auto samples = accuracy::read_samples(folder_.accuracy_samples(), *space_).samples;
  const auto expected = scores.calibrated(samples);
  EXPECT_EQ(first.rmse, expected.calibration()->rmse);
  EXPECT_EQ(first.model->predict(space_->largest()), expected.predict(space_->largest()));
  // It is kept, and taken from where it was made.
  predictor(folder_.root());
  const TemporaryFolder other;
  std::filesystem::copy(folder_.accuracy_of_widths(), other / "accuracy.json");
  std::filesystem::remove(folder_.accuracy_of_widths());
  EXPECT_EQ(predictor(other.path()).samples, 12);
  EXPECT_EQ(passes_, 3);
}

TEST_F(AccuracyStageTest, RefusesTooFewSubnets) {
  AccuracyOptions options = few();
  options.samples = 5;
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { predict(0, options); }),
            "[run::predict_accuracy] needs at least 2 folds and 2 samples in each, got 3 and 5");
}

}  // namespace
}  // namespace lathe::run
