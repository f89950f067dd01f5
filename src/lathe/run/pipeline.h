// The main job: from a data set and a device to the best network for every latency target.
#pragma once

#include "lathe/core/progress.h"
#include "lathe/run/options.h"
#include "lathe/run/result.h"
#include "lathe/run/run_folder.h"

namespace lathe::run {

/// Measures the device, trains one supernet, fits an accuracy predictor, searches for all targets
/// at once, and measures, evaluates and exports every winner. Each stage leaves its file in
/// `folder` and is not done again when that is there; inside, training resumes at the last epoch
/// and the accuracy samples at the last subnet. A space's file is kept in `folder`: the run goes on
/// without the original, and refuses one that has changed. The test set is read once per winner, at
/// the end.
/// @throws Error if the data, a file in the folder or an option is not as needed;
/// std::invalid_argument for options out of range.
RunResult run(const RunOptions& options, const RunFolder& folder, const ProgressFn& progress);

}  // namespace lathe::run
