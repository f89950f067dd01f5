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
#include "lathe/graph/input_size.h"
#include "lathe/nn/channel_sort.h"
#include "lathe/nn/supernet.h"
#include "lathe/train/step/loss.h"
#include "lathe/train/strategies/deps.h"
#include "lathe/train/strategies/grow.h"
#include "lathe/train/strategies/small_images.h"
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
  FixedPasses(std::vector<Pass> passes, std::int64_t steps, double learning_rate)
      : passes_(std::move(passes)), steps_(steps), learning_rate_(learning_rate) {}
  std::int64_t total_steps() const override { return steps_; }
  StepPlan plan(std::int64_t) const override {
    return {.passes = passes_, .learning_rate = learning_rate_};
  }
  nlohmann::json to_json() const override { return {{"method", "fixed"}}; }
  std::vector<Reported> reported(std::int64_t /*steps_done*/) const override { return {}; }

 private:
  std::vector<Pass> passes_;
  std::int64_t steps_;
  double learning_rate_;
};

TEST(Trainer, LearnsAndReports) {
  const TemporaryFolder folder;
  const data::Dataset dataset = pattern_dataset();
  const auto space = pattern_space();
  const TrainOptions options{.batch_size = 32,
                             .shards = 2,
                             .augment = {.crop_padding = 1},
                             .validation_images = 64,
                             .seed = 1,
                             .folder = folder.path()};
  const auto strategy = make_deps(
      *space, {.schedule = {.peak = 0.05, .total_steps = 64, .warmup_steps = 2}, .seed = 1});
  nn::Supernet supernet(space, {.seed = 1, .replicas = options.shards});
  std::vector<std::int64_t> done;
  int epoch_lines = 0;
  const std::int64_t steps =
      train(supernet, *space, *strategy, dataset, options, [&](const Progress& progress) {
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
    EXPECT_GT(evaluator.validation_top1(supernet, space->graph(arch)), 0.9);
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
  EXPECT_EQ(train(supernet, *space, *strategy, dataset, options, kSilent), 0) << "done already";
}

TEST(Trainer, ReportsOnImagesOfTheSizeThatNetsWereTrainedOn) {
  const TemporaryFolder folder;
  const data::Dataset dataset = pattern_dataset();
  const auto space = pattern_space();
  constexpr int kHalf = lathe::testing::kPatternSize / 2;
  const TrainOptions options{
      .batch_size = 32, .shards = 1, .validation_images = 64, .seed = 1, .folder = folder.path()};
  const auto strategy = with_small_images(
      make_grow(*space, {.schedule = {.peak = 0.05, .total_steps = 8}, .nets_per_step = 2}), *space,
      {.half_until = 1, .three_quarters_until = 1});
  nn::Supernet supernet(space, {.seed = 1});
  train(supernet, *space, *strategy, dataset, options, kSilent);

  const auto lines = JsonLines(folder / "metrics.jsonl").read();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0]["image_size"], kHalf);
  const Evaluator evaluator(dataset, {.augment = options.augment, .seed = options.seed});
  for (const auto& [name, arch] : {std::pair{"largest_top1", space->largest()},
                                   std::pair{"smallest_top1", space->smallest()}}) {
    const graph::Graph net = space->graph(arch);
    const double reported = lines[0][name];
    EXPECT_EQ(reported,
              evaluator.validation_top1(supernet, graph::with_input_size(net, kHalf), 64));
    EXPECT_NE(reported, evaluator.validation_top1(supernet, net, 64)) << "whole images differ";
  }
}

/// What one step leaves in the momentum, which starts at zero: the accumulated gradient.
TensorMap gradient_of_a_step(const std::shared_ptr<const space::Space>& space, Strategy& strategy,
                             const data::Dataset& dataset, TrainOptions options) {
  const TemporaryFolder folder;
  options.folder = folder.path();
  options.optimizer = {.momentum = 0, .weight_decay = 0};
  options.validation_images = 0;
  nn::Supernet supernet(space, {.seed = 3, .replicas = options.shards});
  EXPECT_EQ(train(supernet, *space, strategy, dataset, options, kSilent), 1);
  const FloatTensor flat =
      load_safetensors(checkpoint_path(folder.path())).tensors.at("optimizer.momentum");
  TensorMap gradient;
  for (const std::string& name : supernet.parameters().names()) {
    gradient[name] = nn::from_torch(supernet.parameters().part(nn::to_torch(flat), name));
  }
  return gradient;
}

TEST(Trainer, APassCanSeeSmallerImages) {
  const data::Dataset dataset = pattern_dataset();
  const auto space_of = [](int input_size) {
    return lathe::testing::small_space(
        {.in_channels = 1, .num_classes = 4, .input_size = input_size});
  };
  // The step makes images as small as a net's input: the same net of a space for half of the side.
  const auto space = space_of(lathe::testing::kPatternSize);
  const auto half = space_of(lathe::testing::kPatternSize / 2);
  const TrainOptions options{.batch_size = 32, .shards = 2, .seed = 5};
  FixedPasses by_pass({{.arch = space->largest(), .image_size = lathe::testing::kPatternSize / 2}},
                      1, 0.1);
  FixedPasses by_space({{.arch = half->largest()}}, 1, 0.1);
  FixedPasses large({{.arch = space->largest()}}, 1, 0.1);
  const TensorMap got = gradient_of_a_step(space, by_pass, dataset, options);
  EXPECT_EQ(got, gradient_of_a_step(half, by_space, dataset, options));
  EXPECT_NE(got, gradient_of_a_step(space, large, dataset, options));
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
  const at::Tensor loss = pass.losses.at(0).target == Target::kLabels
                              ? label_loss(logits(pass.arch), batch.labels, smoothing)
                              : soft_label_loss(logits(pass.arch), logits(teacher).detach());
  loss.backward();
  return p.grads().clone();
}

TEST(Trainer, AStepsGradientIsTheWeightedSumOfItsPasses) {
  space::MobileSpec spec = lathe::testing::small_spec(
      {.in_channels = 1, .num_classes = 4, .input_size = lathe::testing::kPatternSize});
  spec.dropout = 0;  // or its draws would have to be repeated
  const std::shared_ptr<const space::Space> space = space::make_mobile_space(spec);
  const data::Dataset dataset = pattern_dataset();
  // Shrinking from the first step on, in the middle of the ramp.
  const DepsOptions deps{.schedule = {.total_steps = 1},
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

    nn::Supernet supernet(space, {.seed = 3});
    nn::sort_channels(supernet, *space, {}, {});  // at the start of shrinking
    const std::vector<Pass> passes = strategy->plan(0).passes;
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

TEST(Trainer, DoesNotDependOnTheThreadsThatRunTheShards) {
  const data::Dataset dataset = pattern_dataset(64);
  const auto space = pattern_space();
  const auto trained = [&](int threads) {
    const TemporaryFolder folder;
    const TrainOptions options{.batch_size = 32,
                               .shards = 4,
                               .threads = threads,
                               .validation_images = 0,
                               .seed = 1,
                               .folder = folder.path()};
    const auto strategy = make_deps(*space, {.schedule = {.total_steps = 4}});
    nn::Supernet supernet(space, {.seed = 1, .replicas = options.shards});
    train(supernet, *space, *strategy, dataset, options, kSilent);
    return supernet.state();
  };
  const TensorMap one = trained(1);
  EXPECT_EQ(trained(2), one);
  EXPECT_EQ(trained(3), one);
}

/// What training of 64 steps that should take no time at all comes to, and what was said of it.
std::vector<std::string> train_late(const std::filesystem::path& folder, nn::Supernet& supernet,
                                    Strategy& strategy) {
  TrainOptions options{.batch_size = 32,
                       .shards = 1,
                       .validation_images = 0,
                       .pace_look_s = 0,
                       .seed = 1,
                       .folder = folder};
  options.step_s = [](std::int64_t) { return 1e-6; };
  std::vector<std::string> said;
  train(supernet, supernet.space(), strategy, pattern_dataset(), options, [&](const Progress& p) {
    if (p.message.find("as long as planned") != std::string::npos) said.push_back(p.message);
  });
  return said;
}

TEST(Trainer, DoesTheRestInFewerStepsWhereStepsTakeLongerThanPlanned) {
  const TemporaryFolder folder;
  const auto space = pattern_space();
  nn::Supernet supernet(space, {.seed = 1, .replicas = 1});
  const CosineSchedule schedule{.peak = 0.05, .total_steps = 64};
  const auto strategy = make_grow(*space, {.schedule = schedule, .small_share = 0.5});
  const std::vector<std::string> said = train_late(folder.path(), supernet, *strategy);
  ASSERT_FALSE(said.empty());
  EXPECT_NE(said[0].find("what is left is done in 1 instead of 63"), std::string::npos) << said[0];
  EXPECT_EQ(strategy->total_steps(), 2);
  // The checkpoint knows: nothing is left to do.
  nn::Supernet again(space, {.seed = 1, .replicas = 1});
  const auto resumed = make_grow(*space, {.schedule = schedule, .small_share = 0.5});
  EXPECT_TRUE(train_late(folder.path(), again, *resumed).empty());
  EXPECT_EQ(resumed->total_steps(), 2);
  EXPECT_EQ(again.state(), supernet.state());
}

TEST(Trainer, GoesOnAsPlannedWhereTheMethodCannotBeShortened) {
  const TemporaryFolder folder;
  const auto space = pattern_space();
  nn::Supernet supernet(space, {.seed = 1, .replicas = 1});
  FixedPasses strategy({{.arch = space->smallest()}}, 8, 0.01);
  EXPECT_TRUE(train_late(folder.path(), supernet, strategy).empty());
}

TEST(Trainer, StopsWhenTheLossIsNotFinite) {
  const TemporaryFolder folder;
  const auto space = pattern_space();
  const TrainOptions options{
      .batch_size = 32, .shards = 1, .validation_images = 0, .folder = folder.path()};
  nn::Supernet supernet(space, {.seed = 1});
  FixedPasses strategy({{.arch = space->largest()}}, 8, 1e30);
  const std::string text = text_thrown<Error>(
      [&] { train(supernet, *space, strategy, pattern_dataset(), options, kSilent); });
  EXPECT_TRUE(text.starts_with("training diverged: the loss of step ")) << text;
  EXPECT_NE(text.find(" is not finite; lower --lr (now "), std::string::npos) << text;
  EXPECT_FALSE(std::filesystem::exists(checkpoint_path(folder.path())));
}

TEST(Trainer, StopsWhenASubnetsLossIsNotFinite) {
  const TemporaryFolder folder;
  const auto space = pattern_space();
  nn::Supernet supernet(space, {.seed = 1});
  // Only the shrunk kernels read the matrices.
  for (const std::string& name : supernet.parameters().names()) {
    if (name.find(".transform_") != std::string::npos) {
      supernet.parameters().part(supernet.parameters().values(), name).fill_(std::nanf(""));
    }
  }
  FixedPasses strategy({{.arch = space->largest()},
                        {.arch = space->smallest(), .losses = {{Target::kFirstPass, 1.0}}}},
                       1, 0.1);
  const TrainOptions options{
      .batch_size = 32, .shards = 1, .validation_images = 0, .folder = folder.path()};
  const std::string text = text_thrown<Error>(
      [&] { train(supernet, *space, strategy, pattern_dataset(), options, kSilent); });
  EXPECT_TRUE(text.starts_with("training diverged: the loss of step 0 is not finite")) << text;
  EXPECT_FALSE(std::filesystem::exists(checkpoint_path(folder.path())));
}

TEST(Trainer, SaysWhatDoesNotFit) {
  const auto space = pattern_space();
  const auto text = [&](std::int64_t batch_size, int shards, int replicas) {
    nn::Supernet supernet(space, {.seed = 1, .replicas = replicas});
    FixedPasses strategy({{.arch = space->largest()}}, 4, 0.1);
    return text_thrown<std::invalid_argument>([&] {
      train(supernet, *space, strategy, pattern_dataset(64),
            {.batch_size = batch_size, .shards = shards}, kSilent);
    });
  };
  EXPECT_EQ(text(33, 2, 2), "[train::train] batch_size 33 must be a multiple of shards 2");
  EXPECT_EQ(text(32, 2, 1),
            "[train::Step] threads must be >= 1 and the weights have a replica per shard of this "
            "process, got 2 threads, 2 shards and 1 replicas");
  EXPECT_EQ(text(128, 1, 1), "[train::train] needs a batch of 128 training images, got 64");
}

}  // namespace
}  // namespace lathe::train
