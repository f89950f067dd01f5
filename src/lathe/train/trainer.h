// Trains a supernet: executes the passes that a strategy plans, and nothing else.
#pragma once

#include <filesystem>

#include "lathe/core/progress.h"
#include "lathe/data/dataset.h"
#include "lathe/nn/supernet.h"
#include "lathe/train/evaluator.h"
#include "lathe/train/schedule.h"
#include "lathe/train/sgd.h"
#include "lathe/train/strategy.h"

namespace lathe::train {

struct TrainOptions {
  double epochs = 6;  ///< may be fractional: the run is so many steps
  std::int64_t batch_size = 128;
  /// Parts that a batch is split into, as in data-parallel training: each runs on a thread of its
  /// own, has batch-norm statistics of its own, and their gradients are averaged. The result
  /// depends on it, but not on how many threads there are to run them.
  int shards = 2;
  double learning_rate = 0.15;  ///< the cosine schedule's peak
  double warmup_epochs = 0.2;   ///< of the learning rate
  Sgd::Options sgd;
  double label_smoothing = 0.1;
  data::AugmentOptions augment;
  int threads = 2;                        ///< shared by the shards
  std::int64_t validation_images = 5000;  ///< per report at an epoch's end; 0: no report
  std::uint64_t seed = 0;
  std::filesystem::path folder;  ///< gets checkpoint/supernet.safetensors and metrics.jsonl
};

/// Steps of a whole run over `train_images`.
/// @throws std::invalid_argument if fewer than one, or batch_size is not > 0.
std::int64_t total_steps(const TrainOptions& options, std::int64_t train_images);

/// The checkpoint's path in a run's folder.
std::filesystem::path checkpoint_path(const std::filesystem::path& folder);

/// Trains until total_steps(). `supernet` needs a replica per shard. Goes on from the folder's
/// checkpoint if there is one, bit for bit as if it had not stopped (on the CPU, with the same
/// number of threads: library convolutions sum in an order that depends on it). A checkpoint is
/// written at the end of every epoch, and a line of metrics: step, epoch, loss, learning_rate,
/// images_per_s, and validation top-1 of the largest and the smallest net. Returns the steps done
/// by this call.
/// @throws std::invalid_argument if the batch is not a multiple of the shards, or the supernet has
/// not as many replicas.
/// @throws Error as load_checkpoint, and if the loss is not finite, naming the step.
std::int64_t train_supernet(nn::Supernet& supernet, const Strategy& strategy,
                            const data::Dataset& dataset, const TrainOptions& options,
                            const ProgressFn& progress);

}  // namespace lathe::train
