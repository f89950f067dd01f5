// That training learns, that a step's gradient is what the strategy says, and what is refused.
#include "lathe/train/trainer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/nn/channel_sort.h"
#include "lathe/train/loss.h"
#include "lathe/train/strategies/deps.h"
#include "train/pattern_images.h"

namespace lathe::train {
namespace {

using lathe::testing::pattern_dataset;
using lathe::testing::pattern_space;
using lathe::testing::TemporaryFolder;
using lathe::testing::text_thrown;

const ProgressFn kSilent = [](const Progress&) {};

/// The same passes at every step.
class FixedPasses : public Strategy {
 public:
  explicit FixedPasses(std::vector<Pass> passes, bool sorts = false)
      : passes_(std::move(passes)), sorts_(sorts) {}
  std::vector<Pass> passes(std::int64_t) const override { return passes_; }
  bool sorts_channels_before(std::int64_t step) const override { return sorts_ && step == 0; }
  nlohmann::json to_json() const override { return {{"method", "fixed"}}; }

 private:
  std::vector<Pass> passes_;
  bool sorts_;
};

TEST(TotalSteps, AreWholeBatchesTimesEpochs) {
  EXPECT_EQ(total_steps({.epochs = 2, .batch_size = 10}, 109), 20);
  EXPECT_EQ(total_steps({.epochs = 0.25, .batch_size = 10}, 100), 3);  // 2.5 rounded
  EXPECT_EQ(total_steps({.epochs = 1.5, .batch_size = 100}, 100), 2);
  const auto text = [](const TrainOptions& options, std::int64_t images) {
    return text_thrown<std::invalid_argument>([&] { total_steps(options, images); });
  };
  EXPECT_EQ(text({.epochs = 3, .batch_size = 64}, 63),
            "[train::total_steps] epochs 3.000000 of 63 images in batches of 64 make no step");
  EXPECT_EQ(text({.epochs = 0, .batch_size = 64}, 640),
            "[train::total_steps] epochs 0.000000 of 640 images in batches of 64 make no step");
  EXPECT_EQ(text({.batch_size = 0}, 640), "[train::total_steps] batch_size must be > 0, got 0");
}

TEST(TrainSupernet, LearnsAndReports) {
  const TemporaryFolder folder;
  const data::Dataset dataset = pattern_dataset();
  const auto space = pattern_space();
  const TrainOptions options{.epochs = 8,
                             .batch_size = 32,
                             .shards = 2,
                             .learning_rate = 0.05,
                             .augment = {.crop_padding = 1},
                             .validation_images = 64,
                             .seed = 1,
                             .folder = folder.path()};
  const auto strategy = make_deps(*space, {.total_steps = total_steps(options, 256), .seed = 1});
  nn::Supernet supernet(space, 1, options.shards);
  std::vector<std::int64_t> done;
  int epoch_lines = 0;
  const std::int64_t steps =
      train_supernet(supernet, *strategy, dataset, options, [&](const Progress& progress) {
        EXPECT_EQ(progress.stage, "train");
        EXPECT_FALSE(progress.message.empty());
        if (progress.total == 0) {
          ++epoch_lines;
        } else {
          EXPECT_EQ(progress.total, 64);
          done.push_back(progress.done);
        }
      });
  EXPECT_EQ(epoch_lines, 8);
  EXPECT_EQ(steps, 64);
  EXPECT_EQ(done.back(), 64);
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));

  const Evaluator evaluator(dataset, {.augment = options.augment});
  Rng rng(2);
  for (const space::Arch& arch : {space->largest(), space->smallest(), space->sample(rng)}) {
    EXPECT_GT(evaluator.validation_top1(supernet, arch), 0.9);
  }
  const auto lines = JsonLines(folder / "metrics.jsonl").read();
  ASSERT_EQ(lines.size(), 8U);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(lines[i]["step"], 8 * (i + 1));
    EXPECT_EQ(lines[i]["epoch"], static_cast<double>(i + 1));
    EXPECT_EQ(lines[i]["nets_per_step"], i < 4 ? 1 : 4);
    EXPECT_GT(lines[i]["images_per_s"], 0);
    EXPECT_TRUE(lines[i].contains("learning_rate"));
  }
  EXPECT_LT(lines[7]["loss"], 0.7 * lines[0]["loss"].get<double>());
  EXPECT_GT(lines[7]["largest_top1"], 0.9);
  EXPECT_GT(lines[7]["smallest_top1"], 0.9);
  EXPECT_EQ(train_supernet(supernet, *strategy, dataset, options, kSilent), 0) << "done already";
}

/// What one step leaves in the momentum, which starts at zero: the accumulated gradient.
TensorMap gradient_of_a_step(const std::shared_ptr<const space::Space>& space,
                             const Strategy& strategy, const data::Dataset& dataset,
                             TrainOptions options) {
  const TemporaryFolder folder;
  options.folder = folder.path();
  options.epochs = static_cast<double>(options.batch_size) / 256;
  options.sgd = {.momentum = 0, .weight_decay = 0};
  options.validation_images = 0;
  nn::Supernet supernet(space, 3, options.shards);
  EXPECT_EQ(train_supernet(supernet, strategy, dataset, options, kSilent), 1);
  const FloatTensor flat =
      load_safetensors(checkpoint_path(folder.path())).tensors.at("optimizer.momentum");
  TensorMap gradient;
  for (const std::string& name : supernet.parameters().names()) {
    gradient[name] = nn::from_torch(supernet.parameters().part(nn::to_torch(flat), name));
  }
  return gradient;
}

/// The gradient of every parameter for one pass on one part of the first batch, by itself.
at::Tensor gradient_of_a_pass(const nn::Supernet& supernet, const Pass& pass,
                              const space::Arch& teacher, const Batch& batch, double smoothing) {
  const nn::Parameters& p = supernet.parameters();
  p.grads().zero_();
  const auto logits = [&](const space::Arch& arch) {
    const nn::Executor net(supernet.space().graph(arch));
    return net.forward(supernet.bind(net.graph()), batch.images,
                       {.training = true, .dropout = false});
  };
  const at::Tensor loss = pass.target == Target::kLabels
                              ? label_loss(logits(pass.arch), batch.labels, smoothing)
                              : soft_label_loss(logits(pass.arch), logits(teacher).detach());
  loss.backward();
  return p.grads().clone();
}

TEST(TrainSupernet, AStepsGradientIsTheWeightedSumOfItsPasses) {
  space::MobileSpec spec = lathe::testing::small_spec(
      {.in_channels = 1, .num_classes = 4, .input_size = lathe::testing::kPatternSize});
  spec.dropout = 0;  // or its draws would have to be repeated
  const std::shared_ptr<const space::Space> space = space::make_mobile_space(spec);
  const data::Dataset dataset = pattern_dataset();
  // Shrinking from the first step on, in the middle of the ramp.
  const DepsOptions deps{.total_steps = 1,
                         .warmup_share = 0,
                         .ramp_share = 1,
                         .epsilon_start = 0.25,
                         .random_subnets = 2,
                         .seed = 4};
  const auto strategy = make_deps(*space, deps);
  for (const int shards : {1, 2}) {
    const TrainOptions options{.batch_size = 32,
                               .shards = shards,
                               .label_smoothing = 0.1,
                               .augment = {.crop_padding = 1},
                               .seed = 5};
    const TensorMap got = gradient_of_a_step(space, *strategy, dataset, options);

    nn::Supernet supernet(space, 3);
    nn::sort_channels(supernet, {});  // at the start of shrinking
    const std::vector<Pass> passes = strategy->passes(0);
    ASSERT_EQ(passes.size(), 4U);
    const data::Batches batches = data::Batches::training(256, 32, options.seed, 0);
    at::Tensor sum = at::zeros_like(supernet.parameters().values());
    for (int shard = 0; shard < shards; ++shard) {
      const auto size = static_cast<std::size_t>(32 / shards);
      const Batch batch = make_batch(
          dataset.train, batches[0].subspan(static_cast<std::size_t>(shard) * size, size),
          data::Augmentation{options.augment, options.seed, 0}, dataset.normalization);
      for (std::size_t i = 0; i < passes.size(); ++i) {
        const at::Tensor gradient =
            gradient_of_a_pass(supernet, passes[i], passes[0].arch, batch, options.label_smoothing);
        sum.add_(gradient, (i == 0 ? 1.0 : 0.25) / shards);
      }
    }
    const double largest = sum.abs().max().item<double>();
    EXPECT_GT(largest, 1e-3);
    for (const auto& [name, gradient] : got) {
      const at::Tensor expected = supernet.parameters().part(sum, name);
      EXPECT_LT((nn::to_torch(gradient) - expected).abs().max().item<double>(), 1e-5 * largest)
          << name;
    }
  }
}

TEST(TrainSupernet, DoesNotDependOnTheThreadsThatRunTheShards) {
  const data::Dataset dataset = pattern_dataset(64);
  const auto space = pattern_space();
  const auto train = [&](int threads) {
    const TemporaryFolder folder;
    const TrainOptions options{.epochs = 2,
                               .batch_size = 32,
                               .shards = 4,
                               .threads = threads,
                               .validation_images = 0,
                               .seed = 1,
                               .folder = folder.path()};
    const auto strategy = make_deps(*space, {.total_steps = total_steps(options, 64)});
    nn::Supernet supernet(space, 1, options.shards);
    train_supernet(supernet, *strategy, dataset, options, kSilent);
    return supernet.state();
  };
  const TensorMap one = train(1);
  EXPECT_EQ(train(2), one);
  EXPECT_EQ(train(3), one);
}

TEST(TrainSupernet, StopsWhenTheLossIsNotFinite) {
  const TemporaryFolder folder;
  const auto space = pattern_space();
  const TrainOptions options{.epochs = 1,
                             .batch_size = 32,
                             .shards = 1,
                             .learning_rate = 1e30,
                             .warmup_epochs = 0,
                             .validation_images = 0,
                             .folder = folder.path()};
  nn::Supernet supernet(space, 1);
  const std::string text = text_thrown<Error>([&] {
    train_supernet(supernet, FixedPasses({{.arch = space->largest()}}), pattern_dataset(), options,
                   kSilent);
  });
  EXPECT_TRUE(text.starts_with("training diverged: the loss of step ")) << text;
  EXPECT_NE(text.find(" is not finite; lower --lr (now "), std::string::npos) << text;
  EXPECT_FALSE(std::filesystem::exists(checkpoint_path(folder.path())));
}

TEST(TrainSupernet, StopsWhenASubnetsLossIsNotFinite) {
  const TemporaryFolder folder;
  const auto space = pattern_space();
  nn::Supernet supernet(space, 1);
  // Only the shrunk kernels read the matrices.
  for (const std::string& name : supernet.parameters().names()) {
    if (name.find(".transform_") != std::string::npos) {
      supernet.parameters().part(supernet.parameters().values(), name).fill_(std::nanf(""));
    }
  }
  const FixedPasses strategy(
      {{.arch = space->largest()}, {.arch = space->smallest(), .target = Target::kFirstPass}});
  const TrainOptions options{.epochs = 1.0 / 8,
                             .batch_size = 32,
                             .shards = 1,
                             .validation_images = 0,
                             .folder = folder.path()};
  const std::string text = text_thrown<Error>(
      [&] { train_supernet(supernet, strategy, pattern_dataset(), options, kSilent); });
  EXPECT_TRUE(text.starts_with("training diverged: the loss of step 0 is not finite")) << text;
  EXPECT_FALSE(std::filesystem::exists(checkpoint_path(folder.path())));
}

TEST(TrainSupernet, SaysWhatDoesNotFit) {
  const auto space = pattern_space();
  const auto text = [&](std::int64_t batch_size, int shards, int replicas) {
    nn::Supernet supernet(space, 1, replicas);
    return text_thrown<std::invalid_argument>([&] {
      train_supernet(supernet, FixedPasses({{.arch = space->largest()}}), pattern_dataset(64),
                     {.epochs = 4, .batch_size = batch_size, .shards = shards}, kSilent);
    });
  };
  EXPECT_EQ(text(33, 2, 2),
            "[train::train_supernet] batch_size 33 must be a multiple of shards 2, "
            "and the supernet have as many replicas, got 2");
  EXPECT_EQ(text(32, 2, 1),
            "[train::train_supernet] batch_size 32 must be a multiple of shards 2, "
            "and the supernet have as many replicas, got 1");
  EXPECT_EQ(text(128, 1, 1),
            "[train::total_steps] epochs 4.000000 of 64 images in batches of 128 "
            "make no step");
}

}  // namespace
}  // namespace lathe::train
