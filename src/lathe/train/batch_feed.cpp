#include "lathe/train/batch_feed.h"

#include <algorithm>
#include <utility>

namespace lathe::train {

int loader_threads(int asked, const data::Dataset& dataset, c10::Device device, int threads) {
  if (asked >= 0) return asked;
  return dataset.train.source().reads_files() || !device.is_cpu() ? threads : 0;
}

BatchFeed::BatchFeed(const data::Dataset& dataset, const BatchFeedOptions& options)
    : dataset_(dataset),
      options_(options),
      steps_per_epoch_(dataset.train.size() / options.batch_size) {
  const std::int64_t here = options.here.count;
  // A step's batches are numbered by the shards of this process, steps one after the other.
  loader_ = std::make_unique<data::Loader>(
      dataset.train, dataset.normalization,
      [this, here](std::int64_t number) -> std::optional<data::BatchRequest> {
        return request(number / here, options_.here.first + static_cast<int>(number % here));
      },
      data::LoaderOptions{.threads = options.loader_threads,
                          // This step's and the next's, or one for each thread.
                          .ahead = std::max<std::int64_t>(2 * here, options_.loader_threads),
                          .first = options.first_step * here});
}

/// Of the epoch that most ask for; at its end some ask for the next one already.
std::shared_ptr<const data::Batches> BatchFeed::epoch(std::int64_t number) {
  const auto make = [&] {
    return std::make_shared<const data::Batches>(
        data::Batches::training(dataset_.train.size(), options_.batch_size, options_.seed, number));
  };
  const std::lock_guard lock(mutex_);
  if (number < epoch_) return make();
  if (number > epoch_) {
    batches_ = make();
    epoch_ = number;
  }
  return batches_;
}

data::BatchRequest BatchFeed::request(std::int64_t step, int shard) {
  const std::int64_t size = options_.batch_size / options_.shards;
  const std::shared_ptr<const data::Batches> batches = epoch(step / steps_per_epoch_);
  const auto images = (*batches)[step % steps_per_epoch_].subspan(
      static_cast<std::size_t>(shard * size), static_cast<std::size_t>(size));
  return {.indices = {images.begin(), images.end()},
          .augmentation = data::Augmentation{.options = options_.augment,
                                             .seed = options_.seed,
                                             .epoch = step / steps_per_epoch_,
                                             .batch = step * options_.shards + shard},
          .image_size = options_.image_size ? options_.image_size(step) : 0};
}

Batch BatchFeed::take(std::int64_t step, int shard) {
  return make_batch(loader_->take(step * options_.here.count + shard - options_.here.first));
}

}  // namespace lathe::train
