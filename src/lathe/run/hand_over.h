// Stage: from a target's candidates to a net that holds it, measured, evaluated and exported.
#pragma once

#include <vector>

#include "lathe/core/progress.h"
#include "lathe/data/dataset.h"
#include "lathe/measure/runner.h"
#include "lathe/nn/shared_weights.h"
#include "lathe/run/options.h"
#include "lathe/run/result.h"
#include "lathe/run/run_folder.h"
#include "lathe/train/evaluator.h"

namespace lathe::run {

/// What every target's winner is made from.
struct Workshop {
  const nn::SharedWeights& weights;
  const space::Space& space;
  const data::Dataset& dataset;
  const train::Evaluator& evaluator;
  measure::Runner& runner;
  const RunOptions& options;
  const RunFolder& folder;
  const ProgressFn& progress;
};

/// Measures the target's candidates, best first, until one holds it: extracted as a static net,
/// batch norm recalibrated. After one that doesn't, those that the same ratio of measured to
/// predicted latency would put above the target are passed over; `front` supplies faster ones. When
/// only such are left, the fastest of them is tried last.
/// The winner is evaluated on the test set and its folder written: arch.json, weights.safetensors
/// (with batch norm), model.onnx and model.pt (batch norm folded; the latter reloaded and
/// compared), and target.json last, so that a folder that has it is complete and is taken as it is.
/// If none holds within options.winner_attempts, the fastest measured one is handed over, marked
/// as not within its target.
TargetResult hand_over(const Workshop& shop, const search::TargetResult& target,
                       const std::vector<search::Candidate>& front);

/// The name of a target's folder: `0.75ms`.
std::string target_name(double target_ms);

}  // namespace lathe::run
