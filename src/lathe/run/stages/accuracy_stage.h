// Stage: an accuracy predictor from subnets of the trained supernet.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "lathe/accuracy/accuracy_predictor.h"
#include "lathe/accuracy/sample.h"
#include "lathe/core/progress.h"
#include "lathe/latency/models/latency_model.h"
#include "lathe/run/answers/int8.h"
#include "lathe/run/options.h"
#include "lathe/run/run_folder.h"
#include "lathe/run/trained.h"
#include "lathe/train/evaluator.h"

namespace lathe::run {

struct EvaluateSubnetsOptions {
  bool on_test = false;                  ///< on the test split, instead of the validation split
  std::int64_t images = 5000;            ///< of it, for each; at most as many as there are
  int threads = 1;                       ///< subnets evaluated side by side
  std::optional<Int8Options> int8 = {};  ///< set: as they are in 8 bits
};

/// Evaluates `archs` on the validation split, or the test split, batch norm recalibrated, into the
/// file `samples`, one line a subnet; those already there are not evaluated again. `evaluator`: of
/// the trained data set, with the run's seed.
/// @throws Error naming the file if its samples are of other subnets, or were evaluated under other
/// conditions, such as other weights; or if one net was trained alone.
std::vector<accuracy::AccuracySample> evaluate_subnets(const Trained& trained,
                                                       const train::Evaluator& evaluator,
                                                       std::span<const space::Arch> archs,
                                                       const EvaluateSubnetsOptions& options,
                                                       const std::filesystem::path& samples,
                                                       const ProgressFn& progress);

/// What is known of the trained nets' accuracy without evaluating them.
struct Predictor {
  std::unique_ptr<accuracy::AccuracyPredictor> model;
  double rmse = 0;         ///< of accuracies, on held-out subnets
  double kendall_tau = 0;  ///< the same
  int samples = 0;         ///< subnets that it was fitted to
};

/// The predictor of the folder `from`, whose training `trained` is; or of subnets drawn evenly over
/// the latency range, evaluated and fitted to into `folder`, which may be the same, all by the
/// run's seed: of a training that scored widths those scores with a line to accuracies
/// (accuracy::WidthScores::calibrated), of others a perceptron (train::fit_accuracy_predictor()).
/// The space of `trained` must outlive the result. @throws Error as evaluate_subnets().
Predictor predict_accuracy(const Trained& trained, const latency::LatencyModel& latency,
                           const train::Evaluator& evaluator, const AccuracyOptions& options,
                           const std::filesystem::path& from, const RunFolder& folder,
                           const ProgressFn& progress);

}  // namespace lathe::run
