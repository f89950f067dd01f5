// Trains nets that share weights: executes the steps that a strategy plans, and nothing else.
#pragma once

#include <filesystem>

#include "lathe/core/progress.h"
#include "lathe/data/dataset.h"
#include "lathe/dist/process_group.h"
#include "lathe/nn/shared_weights.h"
#include "lathe/space/space.h"
#include "lathe/train/evaluator.h"
#include "lathe/train/pace_watch.h"
#include "lathe/train/step/gradient_reducer.h"
#include "lathe/train/step/optimizer.h"
#include "lathe/train/step/step.h"
#include "lathe/train/strategy.h"

namespace lathe::train {

struct TrainOptions {
  std::int64_t batch_size = 128;
  int shards = 2;   ///< parts of a batch that are trained side by side, see StepOptions
  int threads = 2;  ///< shared by the shards of this process
  /// The processes that train together, as StepOptions; none: this one alone.
  dist::ProcessGroup* group = nullptr;
  GradientReducerOptions reducer;  ///< how their gradients are added
  nn::Precision precision =
      nn::Precision::kFloat32;  ///< as StepOptions; nets are evaluated in float32
  OptimizerOptions optimizer;
  /// Of the weights' moving average, which then is the result; 0: the last weights are.
  double average_decay = 0;
  double label_smoothing = 0.1;
  double auxiliary_weight = 0.4;  ///< of an auxiliary head's loss, where the nets have one
  data::AugmentOptions augment;
  /// That read images ahead. -1: as many as `threads` where images are read from files or the
  /// weights are not on the CPU, none where it would have less for its steps. The result doesn't
  /// depend on it.
  int loader_threads = -1;
  std::int64_t validation_images = 5000;  ///< per report at an epoch's end; 0: no report
  /// A checkpoint is written at every epoch's end, and after so many seconds or steps.
  double checkpoint_s = 300;
  std::int64_t checkpoint_steps = 0;  ///< 0: none
  /// How long each step of the plan should take, in seconds. If it takes longer, the strategy does
  /// the rest of its plan in as many steps as fit, and progress says so. Unset: it takes what it
  /// takes. One process alone.
  PaceWatch::PlannedSeconds step_s;
  double pace_look_s = 10;  ///< how often that is looked at
  /// A net whose soft labels LossTerm's kTeacher means, until the strategy keeps a teacher of its
  /// own. Must outlive the training, and is not part of its checkpoint.
  Teacher teacher;
  std::uint64_t seed = 0;
  std::filesystem::path folder;  ///< gets checkpoint/supernet.safetensors and metrics.jsonl
};

/// The checkpoint's path in a run's folder.
std::filesystem::path checkpoint_path(const std::filesystem::path& folder);

/// Trains `weights`, which hold the nets of those archs of `space` that the strategy plans: a
/// supernet, or a single net. They need a replica per shard of this process. Goes on from the
/// folder's checkpoint if there is one, bit for bit as if it had not stopped (on the CPU, with the
/// same number of threads: library convolutions sum in an order that depends on it). At the end of
/// every epoch a line of metrics is written: step, epoch, loss, learning_rate, nets_per_step,
/// images_per_s, and validation top-1 of the nets that the strategy reports, with the image_size
/// that they were trained on of late where it isn't their input's, and the strategy's figures(). At
/// the end `weights` hold the result. Returns the steps done by this call.
///
/// Of several processes, all call it with the same arguments but for the replicas, and all get the
/// result. Rank 0 alone reads and writes the folder and reports progress; its weights, whether
/// those of its checkpoint or those it was called with, are where all begin, and what all have
/// again after each epoch, should machines of different kinds have rounded differently. The count
/// of processes is none of a checkpoint's settings: a run may go on with another.
/// @throws std::invalid_argument if the batch is not a multiple of the shards, or as Step.
/// @throws Error as load_checkpoint (on every process), if the loss is not finite, naming the step,
/// if the processes have other versions or options, or if one of them is lost.
std::int64_t train(nn::SharedWeights& weights, const space::Space& space, Strategy& strategy,
                   const data::Dataset& dataset, const TrainOptions& options,
                   const ProgressFn& progress);

}  // namespace lathe::train
