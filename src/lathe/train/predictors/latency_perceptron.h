// The perceptron of a latency model: its recipes, alone and beside another model.
#pragma once

#include <cstddef>
#include <span>

#include "lathe/regress/perceptron.h"
#include "lathe/train/predictors/fit_perceptron.h"

namespace lathe::train {

/// The latency prediction module as printed: 112, 256, 64 and 1 neurons, sigmoid, SGD with learning
/// rate 0.01, momentum 0.9 and weight decay 1e-5, batches of 200, 1000 epochs.
/// @see Xu et al., "Latency-Aware Differentiable Neural Architecture Search", section 3.2.
FitPerceptronOptions published_latency_perceptron();
/// The same net by Adam with a falling rate, in a twentieth of the epochs; with fewer than 3,200
/// samples in smaller batches, so that there are enough steps. Sigmoids stay: on measured cells
/// rectifiers fit the noise and err twice as much.
FitPerceptronOptions fast_latency_perceptron(std::size_t samples);

/// mean_ms + scale_ms * perceptron, for targets of any size.
struct ScaledPerceptron {
  regress::Perceptron perceptron;
  double mean_ms = 0.0;
  double scale_ms = 1.0;

  double to_ms(float output) const { return mean_ms + scale_ms * static_cast<double>(output); }
};

/// Fitted to `targets_ms`, standardised. inputs: [targets_ms.size(), n] row-major.
/// @throws std::invalid_argument as fit_perceptron().
ScaledPerceptron fit_scaled_perceptron(std::span<const float> inputs,
                                       std::span<const double> targets_ms,
                                       const FitPerceptronOptions& options);

/// For what `base_ms`, predictions for nets that the base did not see, leaves of `measured_ms`. A
/// perceptron for noise makes things worse, so only a share of its answer is used: that of 0, 1/4,
/// ... 1 which errs least, relatively, on a fifth of the samples that a first perceptron has not
/// seen. With share 0 it answers 0. Twice the cost of fit_scaled_perceptron().
/// @throws std::invalid_argument as above, or if sizes differ.
ScaledPerceptron fit_residual_perceptron(std::span<const float> inputs,
                                         std::span<const double> measured_ms,
                                         std::span<const double> base_ms,
                                         const FitPerceptronOptions& options);

}  // namespace lathe::train
