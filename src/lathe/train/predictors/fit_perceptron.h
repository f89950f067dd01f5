// Fits the small regressors of regress/ by gradient descent.
#pragma once

#include <span>
#include <vector>

#include "lathe/regress/perceptron.h"

namespace lathe::train {

enum class PerceptronOptimizer {
  kAdam,      ///< the learning rate falls as a cosine, to 0
  kMomentum,  ///< SGD with momentum 0.9, the learning rate constant
};

struct FitPerceptronOptions {
  std::vector<int> hidden{400, 400, 400};  ///< as the published accuracy predictor
  regress::HiddenActivation activation = regress::HiddenActivation::kRelu;
  PerceptronOptimizer optimizer = PerceptronOptimizer::kAdam;
  int epochs = 300;
  int batch_size = 64;
  double learning_rate = 1e-3;
  double weight_decay = 1e-4;
  std::uint64_t seed = 0;
};

/// A perceptron fitted to `targets` by gradient descent on the squared error; the output bias
/// starts at the targets' mean. Targets should be standardised or of order 1. inputs:
/// [targets.size(), n] row-major.
/// @throws std::invalid_argument if there are no targets, sizes disagree, or batch_size is not > 0.
/// @see Once-for-All's public accuracy predictor recipe.
regress::Perceptron fit_perceptron(std::span<const float> inputs, std::span<const float> targets,
                                   const FitPerceptronOptions& options);

}  // namespace lathe::train
