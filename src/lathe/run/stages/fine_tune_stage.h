// Stage: the answers, each trained alone for a while, on from the supernet or from the beginning.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lathe/core/progress.h"
#include "lathe/graph/fold.h"
#include "lathe/run/run_folder.h"
#include "lathe/run/stages/train_stage.h"
#include "lathe/train/evaluator.h"

namespace lathe::run {

struct FineTuneOptions {
  std::int64_t steps = 0;       ///< of each net
  bool from_scratch = false;    ///< random weights are the beginning, not those of the supernet
  double learning_rate = 0.02;  ///< at the beginning; falls as a cosine
  std::int64_t warmup_steps = 0;
  /// Of the loss: what is compared with the best net's soft labels; the rest, with the labels.
  double teacher_share = 0.5;
  double step_s = 0;  ///< seconds that a step may take on one thread; 0: any
  int threads = 1;    ///< that the nets share, as side_by_side()
};

/// Of each batch of these trainings: two, so that a net can have two threads; one where batches
/// can't be halved, or the weights are not on the CPU.
int fine_tune_shards(const Trained& trained, const TrainJob& job);

/// Each of `archs` taken out of the supernet and trained on (or trained from scratch) with the
/// labels and the soft labels of `teacher`, a net of the supernet as it is now, which is not
/// trained. Gives them with batch norm recalibrated, in order. In `folder` each has a folder of its
/// own, fine_tune/<n> (from_scratch/<n>), whose checkpoint a resumed run goes on from; the result
/// does not depend on the threads.
/// @throws Error as train::train().
std::vector<graph::Net> fine_tune(const Trained& trained, const TrainJob& job,
                                  const train::Evaluator& evaluator,
                                  std::span<const space::Arch> archs, const space::Arch& teacher,
                                  const FineTuneOptions& options, const RunFolder& folder,
                                  const ProgressFn& progress);

}  // namespace lathe::run
