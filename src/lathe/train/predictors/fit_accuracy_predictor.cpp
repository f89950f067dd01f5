#include "lathe/train/predictors/fit_accuracy_predictor.h"

#include <cmath>
#include <stdexcept>
#include <string>

#include "lathe/core/statistics.h"
#include "lathe/regress/cross_validation.h"
#include "lathe/space/same_net.h"

namespace lathe::train {
namespace {

using accuracy::AccuracySample;

std::vector<double> measured_accuracies(std::span<const AccuracySample> samples) {
  std::vector<double> accuracies;
  for (const AccuracySample& sample : samples) {
    accuracies.push_back(sample.accuracy);
  }
  return accuracies;
}

accuracy::PredictorFit fit(const space::Space& space, std::span<const AccuracySample> samples,
                           const FitAccuracyOptions& options) {
  std::vector<float> inputs;
  for (const AccuracySample& sample : samples) {
    const std::vector<float> bits = space.encode(sample.arch);
    inputs.insert(inputs.end(), bits.begin(), bits.end());
  }
  const std::vector<double> accuracies = accuracy::smoothed_accuracies(samples);
  const double centre = mean(accuracies);
  double variance = 0;
  for (const double value : accuracies) {
    variance += (value - centre) * (value - centre) / static_cast<double>(accuracies.size());
  }
  const double scale = variance > 0 ? std::sqrt(variance) : 1.0;
  std::vector<float> targets;
  for (const double value : accuracies) {
    targets.push_back(static_cast<float>((value - centre) / scale));
  }
  FitPerceptronOptions recipe = options.perceptron;
  recipe.seed = options.seed;
  return {.perceptron = fit_perceptron(inputs, targets, recipe),
          .mean = centre,
          .scale = scale,
          .samples = static_cast<int>(samples.size())};
}

}  // namespace

FitPerceptronOptions accuracy_perceptron() { return {.weight_decay = 1e-2}; }

std::size_t min_accuracy_nets(const FitAccuracyOptions& options) {
  return 2 * static_cast<std::size_t>(options.folds);
}

std::vector<double> cross_validated_accuracies(const space::Space& space,
                                               std::span<const AccuracySample> samples,
                                               const FitAccuracyOptions& options) {
  const std::vector<std::size_t> nets = number_nets(space, samples);
  if (options.folds < 2 || regress::num_groups(nets) < min_accuracy_nets(options)) {
    throw std::invalid_argument(
        "[train::fit_accuracy_predictor] needs at least 2 folds and 2 nets for each, got " +
        std::to_string(options.folds) + " and " + std::to_string(regress::num_groups(nets)));
  }
  const auto folds = regress::grouped_folds(nets, options.folds, options.seed);
  return regress::out_of_fold(std::span(folds), [&](std::span<const std::size_t> train) {
    return [&, predictor = accuracy::PerceptronPredictor(
                   space, fit(space, regress::at_indices(samples, train), options))](
               std::size_t i) { return predictor.predict(samples[i].arch); };
  });
}

accuracy::PredictorFit fit_accuracy_predictor(const space::Space& space,
                                              std::span<const AccuracySample> samples,
                                              const FitAccuracyOptions& options) {
  const std::vector<double> held_out = cross_validated_accuracies(space, samples, options);
  accuracy::PredictorFit all = fit(space, samples, options);
  all.rmse = root_mean_square_error(held_out, measured_accuracies(samples));
  all.kendall_tau = kendall_tau(held_out, accuracy::smoothed_accuracies(samples));
  return all;
}

}  // namespace lathe::train
