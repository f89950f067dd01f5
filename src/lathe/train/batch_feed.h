// The images of every step of a training, shard by shard.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "lathe/data/batches.h"
#include "lathe/data/dataset.h"
#include "lathe/data/loader.h"
#include "lathe/dist/shard_tree.h"
#include "lathe/train/step/batch.h"

namespace lathe::train {

struct BatchFeedOptions {
  std::int64_t batch_size = 128;  ///< of all shards
  int shards = 1;                 ///< of all processes
  dist::ShardRange here;          ///< those of this process
  data::AugmentOptions augment;
  /// Height and width of a step's images, asked by any thread; none, or 0: the data set's.
  std::function<int(std::int64_t step)> image_size;
  std::uint64_t seed = 0;
  std::int64_t first_step = 0;  ///< of this call of training
  /// That read images ahead, while steps are computed; 0: each shard's thread makes its own batch.
  int loader_threads = 0;
};

/// How many threads should read images ahead: `asked`, or, if that is negative, `threads` where
/// images are read from files or nets are trained on `device` and it is no CPU, else none.
int loader_threads(int asked, const data::Dataset& dataset, c10::Device device, int threads);

/// Batches follow from the step, the shard and the seed alone: the same to the bit however many
/// threads read ahead. Epochs are shuffled, and the images left over at an epoch's end dropped
/// (data::Batches::training).
class BatchFeed {
 public:
  /// `dataset` must outlive it. @throws std::invalid_argument as data::Batches::training.
  BatchFeed(const data::Dataset& dataset, const BatchFeedOptions& options);

  std::int64_t steps_per_epoch() const { return steps_per_epoch_; }

  /// The batch of a shard of this process, once each; steps in order from first_step on, the shards
  /// of a step in any order and from any thread. @throws as data::load_batch.
  Batch take(std::int64_t step, int shard);

 private:
  data::BatchRequest request(std::int64_t step, int shard);
  std::shared_ptr<const data::Batches> epoch(std::int64_t number);

  const data::Dataset& dataset_;
  BatchFeedOptions options_;
  std::int64_t steps_per_epoch_;
  std::mutex mutex_;  // of the two below
  std::int64_t epoch_ = -1;
  std::shared_ptr<const data::Batches> batches_;  // of epoch_
  std::unique_ptr<data::Loader> loader_;          // last: its threads use all of the above
};

}  // namespace lathe::train
