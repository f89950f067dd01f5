#include "lathe/train/predictors/fit_accuracy_predictor.h"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/accuracy/validation.h"
#include "lathe/core/random.h"
#include "lathe/core/statistics.h"
#include "lathe/regress/cross_validation.h"
#include "lathe/space/same_net.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::train {
namespace {

using accuracy::AccuracySample;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

FitAccuracyOptions small(std::uint64_t seed = 0) {
  FitAccuracyOptions options{.seed = seed};
  options.perceptron.hidden = {32};
  options.perceptron.epochs = 200;
  options.perceptron.learning_rate = 1e-2;
  return options;
}

/// `nets` different nets, each `times` one after the other, with accuracies by `accuracy_of`.
template <typename AccuracyOf>
std::vector<AccuracySample> samples_of(const space::Space& space, std::size_t nets,
                                       std::size_t times, AccuracyOf accuracy_of) {
  std::vector<AccuracySample> samples;
  for (const space::Arch& arch : lathe::testing::distinct_archs(space, nets, 3)) {
    samples.insert(samples.end(), times, {.arch = arch, .accuracy = accuracy_of(arch)});
  }
  return samples;
}

std::vector<AccuracySample> lawful_samples(const space::Space& space, std::size_t nets) {
  return samples_of(space, nets, 1, [&](const space::Arch& arch) {
    double accuracy = 0.5;
    for (std::size_t i = 0; i < arch.choices.size(); ++i) {
      accuracy += space.alive(arch, static_cast<int>(i)) ? 0.02 * arch.choices[i] : 0.0;
    }
    return accuracy;
  });
}

TEST(FitAccuracyPredictorTest, LearnsALawAndSaysHowWell) {
  const TinySpace space;
  const auto samples = lawful_samples(space, 80);
  const accuracy::PredictorFit fit = fit_accuracy_predictor(space, samples, small());
  EXPECT_EQ(fit.samples, 80);
  EXPECT_GT(fit.kendall_tau, 0.8);
  EXPECT_LT(fit.rmse, 0.015);
  // What it says of itself holds for nets that it has not seen.
  std::set<space::Arch> known;
  for (const AccuracySample& sample : samples) known.insert(sample.arch);
  auto others = lawful_samples(space, 200);
  std::erase_if(others, [&](const AccuracySample& s) { return known.contains(s.arch); });
  const auto error = predictor_error(accuracy::PerceptronPredictor(space, fit), others);
  EXPECT_EQ(error.samples, 120);
  EXPECT_LT(error.rmse, 1.5 * fit.rmse);
  EXPECT_GT(error.rmse, 0.3 * fit.rmse);
}

TEST(FitAccuracyPredictorTest, CrossValidationIsFitsWithoutEachPart) {
  const TinySpace space;
  const auto samples = lawful_samples(space, 30);
  FitAccuracyOptions options = small(7);
  options.folds = 3;
  const auto held_out = cross_validated_accuracies(space, samples, options);
  FitAccuracyOptions of_part = options;
  of_part.folds = 2;  // of the error that a part's fit states: not used here
  for (const auto& fold :
       regress::grouped_folds(space::number_nets(space, samples), options.folds, options.seed)) {
    const accuracy::PerceptronPredictor predictor(
        space, fit_accuracy_predictor(space, regress::at_indices(samples, fold.train), of_part));
    for (const std::size_t i : fold.test) {
      EXPECT_EQ(held_out[i], predictor.predict(samples[i].arch));
    }
  }
  const auto fit = fit_accuracy_predictor(space, samples, options);
  std::vector<double> measured;
  for (const AccuracySample& sample : samples) measured.push_back(sample.accuracy);
  EXPECT_EQ(fit.rmse, root_mean_square_error(held_out, measured));
  EXPECT_EQ(fit.kendall_tau, kendall_tau(held_out, measured));
}

TEST(FitAccuracyPredictorTest, LearnsSmoothedAccuracies) {
  const TinySpace space;
  const auto lawful = lawful_samples(space, 80);
  Rng rng(1);
  std::vector<AccuracySample> counted = lawful, both = lawful;
  for (std::size_t i = 0; i < lawful.size(); ++i) {
    both[i].accuracy = counted[i].accuracy = lawful[i].accuracy + 0.02 * rng.normal();
    both[i].soft_accuracy = lawful[i].accuracy - 0.1;
  }
  const auto by_counts = fit_accuracy_predictor(space, counted, small());
  const auto by_both = fit_accuracy_predictor(space, both, small());
  const auto error = [&](const accuracy::PredictorFit& fit) {
    return predictor_error(accuracy::PerceptronPredictor(space, fit), lawful);
  };
  EXPECT_LT(error(by_both).rmse, 0.5 * error(by_counts).rmse);
  EXPECT_GT(by_both.kendall_tau, by_counts.kendall_tau + 0.1);
  EXPECT_GT(by_both.rmse, 0.015) << "against accuracies as they were counted";
}

TEST(FitAccuracyPredictorTest, NothingIsLearnedByHeart) {
  const TinySpace space;
  Rng rng(1);
  const auto samples =
      samples_of(space, 30, 3, [&](const space::Arch&) { return 0.5 + 0.1 * rng.normal(); });
  const auto fit = fit_accuracy_predictor(space, samples, small());
  // What a predictor says of nets that it has seen, and what it says of its own error.
  EXPECT_LT(predictor_error(accuracy::PerceptronPredictor(space, fit), samples).rmse, 0.03);
  EXPECT_GT(fit.rmse, 0.08);
  EXPECT_LT(fit.kendall_tau, 0.4);
}

TEST(FitAccuracyPredictorTest, TheSeedDecides) {
  const TinySpace space;
  const auto samples = lawful_samples(space, 30);
  const auto fit = fit_accuracy_predictor(space, samples, small(1));
  EXPECT_EQ(fit_accuracy_predictor(space, samples, small(1)), fit);
  EXPECT_NE(fit_accuracy_predictor(space, samples, small(2)).perceptron, fit.perceptron);
  FitAccuracyOptions other_recipe = small(1);
  other_recipe.perceptron.seed = 9;
  EXPECT_EQ(fit_accuracy_predictor(space, samples, other_recipe), fit);
}

TEST(FitAccuracyPredictorTest, RefusesTooFewNets) {
  const TinySpace space;
  auto samples = lawful_samples(space, 9);
  const auto again = samples;
  samples.insert(samples.end(), again.begin(), again.end());
  EXPECT_EQ(min_accuracy_nets({}), 10U);
  EXPECT_EQ(
      text_thrown<std::invalid_argument>([&] { fit_accuracy_predictor(space, samples, small()); }),
      "[train::fit_accuracy_predictor] needs at least 2 folds and 2 nets for each, got 5 and 9");
  FitAccuracyOptions one = small();
  one.folds = 1;
  EXPECT_EQ(
      text_thrown<std::invalid_argument>([&] { fit_accuracy_predictor(space, samples, one); }),
      "[train::fit_accuracy_predictor] needs at least 2 folds and 2 nets for each, got 1 and 9");
}

}  // namespace
}  // namespace lathe::train
