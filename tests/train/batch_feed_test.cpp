// Batches made by hand against those that are fed, whoever reads them and however far ahead.
#include "lathe/train/batch_feed.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "data/photo_files.h"
#include "lathe/core/file.h"
#include "lathe/nn/supernet.h"
#include "lathe/train/evaluator.h"
#include "lathe/train/strategies/bignas.h"
#include "lathe/train/trainer.h"
#include "space/tiny_spaces.h"
#include "train/pattern_images.h"

namespace lathe::train {
namespace {

using lathe::testing::TemporaryFolder;

TEST(BatchFeed, GivesTheBatchesOfStepsAndShards) {
  const data::Dataset dataset = lathe::testing::pattern_dataset(60);
  const data::AugmentOptions augment{.crop_padding = 2, .cutout = 3, .mixup = 0.4};
  const auto size_of = [](std::int64_t step) { return step % 2 == 0 ? 0 : 6; };
  for (const int threads : {0, 1, 3}) {
    // Shards 2 and 3 of 4, from the middle of the first epoch of 3 steps to the third.
    BatchFeed feed(dataset, {.batch_size = 16,
                             .shards = 4,
                             .here = {.first = 2, .count = 2},
                             .augment = augment,
                             .image_size = size_of,
                             .seed = 5,
                             .first_step = 1,
                             .loader_threads = threads});
    EXPECT_EQ(feed.steps_per_epoch(), 3);
    for (std::int64_t step = 1; step < 8; ++step) {
      const auto epoch = data::Batches::training(60, 16, 5, step / 3);
      for (const int shard : {3, 2}) {  // in any order
        const Batch batch = feed.take(step, shard);
        const Batch expected = make_batch(
            step % 2 == 0 ? dataset.train : dataset.train.resized(6),
            epoch[step % 3].subspan(static_cast<std::size_t>(4 * shard), 4),
            data::Augmentation{augment, 5, step / 3, 4 * step + shard}, dataset.normalization);
        EXPECT_TRUE(at::equal(batch.images, expected.images)) << step << " " << threads;
        EXPECT_TRUE(at::equal(batch.labels, expected.labels));
        EXPECT_TRUE(at::equal(batch.targets, expected.targets));
      }
    }
  }
}

/// A folder of photographs, and a space whose nets take them at two sizes.
class Photographs : public ::testing::Test {
 protected:
  Photographs() {
    lathe::testing::write_photo_folder(folder_ / "photos", 12, 40, 50);
    dataset_ = data::open_dataset((folder_ / "photos").string(), {.image_size = 32});
    space::MobileSpec spec = lathe::testing::tiny_mobile();
    spec.task = {.in_channels = 3, .num_classes = 3, .input_size = 32};
    spec.resolutions = {24, 32};
    space_ = space::make_mobile_space(std::move(spec));
  }

  TemporaryFolder folder_;
  data::Dataset dataset_;
  std::shared_ptr<const space::Space> space_;
};

TEST_F(Photographs, TrainTheSameNetHoweverManyThreadsReadThem) {
  std::vector<std::string> checkpoints;
  for (const int loader_threads : {0, 1, 3, -1}) {
    const TemporaryFolder folder;
    const TrainOptions options{.batch_size = 8,
                               .shards = 2,
                               .loader_threads = loader_threads,
                               .validation_images = 3,
                               .seed = 3,
                               .folder = folder.path()};
    const auto strategy = make_bignas(
        *space_, {.schedule = {.peak = 0.05, .total_steps = 9, .warmup_steps = 1}, .seed = 3});
    nn::Supernet supernet(space_, {.seed = 1, .replicas = options.shards});
    train(supernet, *space_, *strategy, dataset_, options, [](const Progress&) {});
    checkpoints.push_back(read_file(checkpoint_path(folder.path())));
    EXPECT_TRUE(checkpoints.back() == checkpoints.front()) << loader_threads << " threads";
  }
}

TEST_F(Photographs, AreReadAtTheStepsResolution) {
  const auto strategy = make_bignas(
      *space_, {.schedule = {.peak = 0.05, .total_steps = 20, .warmup_steps = 1}, .seed = 3});
  int small = 0;
  for (std::int64_t step = 0; step < 20; ++step) {
    for (const Pass& pass : strategy->plan(step).passes) {
      EXPECT_EQ(space_->input_size(pass.arch), strategy->image_size(step));
    }
    small += strategy->image_size(step) == 24 ? 1 : 0;
  }
  EXPECT_GT(small, 3);
  EXPECT_LT(small, 17);
}

TEST_F(Photographs, AreEvaluatedAtEachNetsResolution) {
  nn::Supernet supernet(space_, {.seed = 1});
  const Evaluator evaluator(dataset_, {.calibration_images = 20});
  Rng rng(4);
  std::vector<graph::Graph> nets;
  for (int i = 0; i < 6; ++i) nets.push_back(space_->graph(space_->sample(rng)));
  std::vector<nn::Executor> executors(nets.begin(), nets.end());
  const std::vector<nn::Binding> together = evaluator.calibrated(supernet, executors);
  for (std::size_t i = 0; i < nets.size(); ++i) {
    const int size = nets[i].input_shape().height;
    // Alone, on a data set of its size.
    data::Dataset own = dataset_;
    own.train = dataset_.train.resized(size);
    own.test = dataset_.test.resized(size);
    const Evaluator alone(own, {.calibration_images = 20});
    const nn::Binding expected = alone.calibrated(supernet, executors[i]);
    EXPECT_EQ(nn::to_net(nets[i], together[i]).weights, nn::to_net(nets[i], expected).weights);
    EXPECT_EQ(evaluator.top1(executors[i], together[i], dataset_.test),
              alone.top1(executors[i], expected, own.test));
  }
}

}  // namespace
}  // namespace lathe::train
