// What training and evaluating nets would take, tried on this machine rather than guessed.
#pragma once

#include <cstdint>

#include "lathe/graph/graph.h"
#include "lathe/nn/shared_weights.h"
#include "lathe/run/run_folder.h"
#include "lathe/run/stages/train_stage.h"
#include "lathe/train/evaluator.h"

namespace lathe::run {

struct TrainingForecast {
  double epochs = 0;
  std::int64_t steps = 0;
  double first_step_s = 0;  ///< each of the first steps, on images of full size
  double seconds = 0;       ///< all steps; validation and checkpoints apart
};

/// Plans all steps from how long the first ones took: a step takes time in proportion to the
/// multiply-accumulates of its passes, and on smaller images as long as was measured. Of the
/// method "aows", whose plan follows from what it observes, the plan of one that has observed
/// nothing. With a budget the epochs are those that fit into it.
/// @throws Error as make_strategy().
TrainingForecast forecast_training(const Trained& trained, const TrainJob& job,
                                   const train::StepSeconds& first_steps);

/// The same, with the first steps tried on a copy of the weights, as measure_step_s() does.
/// @throws Error as train_stage().
TrainingForecast forecast_training(const Trained& trained, const TrainJob& job,
                                   const RunFolder& folder);

/// Seconds that a net's accuracy on `validation_images` takes, where as many are evaluated side by
/// side as there are threads: this one is, once on each.
double evaluation_s(const nn::SharedWeights& weights, const train::Evaluator& evaluator,
                    const graph::Graph& net, std::int64_t validation_images, int threads);

}  // namespace lathe::run
