// Stage: an accuracy predictor from subnets of the trained supernet.
#pragma once

#include "lathe/accuracy/perceptron_predictor.h"
#include "lathe/core/progress.h"
#include "lathe/data/dataset.h"
#include "lathe/latency/latency_model.h"
#include "lathe/nn/shared_weights.h"
#include "lathe/run/options.h"
#include "lathe/run/run_folder.h"
#include "lathe/train/evaluator.h"

namespace lathe::run {

/// Evaluates subnets drawn evenly over the latency range on the validation split, batch norm
/// recalibrated, one line a subnet in the folder (those already there are not evaluated again), and
/// fits a predictor to them (train::fit_accuracy_predictor). `dataset` is the one that the
/// evaluator has; `space` must outlive the result.
/// @throws Error naming the file if the folder's samples are of other subnets, or were evaluated
/// under other conditions, such as other weights.
accuracy::PerceptronPredictor predict_accuracy(const nn::SharedWeights& weights,
                                               const space::Space& space,
                                               const data::Dataset& dataset,
                                               const latency::LatencyModel& latency,
                                               const train::Evaluator& evaluator,
                                               const AccuracyOptions& options, std::uint64_t seed,
                                               const RunFolder& folder, const ProgressFn& progress);

}  // namespace lathe::run
