// Training on a GPU, where there is one: the CPU's losses and gradients, and runs that move between
// the two.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/nn/device.h"
#include "lathe/nn/supernet.h"
#include "lathe/train/cells/search_benchmark.h"
#include "lathe/train/evaluator.h"
#include "lathe/train/records/train_state.h"
#include "lathe/train/step/step_benchmark.h"
#include "lathe/train/strategies/deps.h"
#include "lathe/train/strategies/ofa.h"
#include "lathe/train/trainer.h"
#include "train/pattern_images.h"
#include "train/stopped.h"

namespace lathe::train {
namespace {

using lathe::testing::pattern_space;
using lathe::testing::Stopped;
using lathe::testing::TemporaryFolder;

class GpuTraining : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!torch::cuda::is_available()) {
      GTEST_SKIP() << "needs a GPU and a LibTorch that is built with CUDA";
    }
  }
  nn::Supernet supernet(const std::string& device, int replicas = 1) const {
    return nn::Supernet(space_,
                        {.seed = 1, .replicas = replicas, .device = nn::open_device(device)});
  }

  /// DepS, or Once-for-All, which keeps a teacher and sorts channels, in `folder` from whatever is
  /// there, as far as step `stop`. Returns the largest net's accuracy.
  double train(const std::string& device, const std::filesystem::path& folder, bool ofa,
               std::int64_t stop = 1000, nn::Precision precision = nn::Precision::kFloat32) const {
    const TrainOptions options{.batch_size = 16,
                               .shards = 2,
                               .precision = precision,
                               .optimizer = {.name = "rmsprop", .clip_norm = 5},
                               .average_decay = 0.9,
                               .augment = {.crop_padding = 1, .mixup = ofa ? 0.2 : 0.0},
                               .validation_images = 64,
                               .folder = folder};
    const auto strategy =
        ofa ? make_ofa(*space_,
                       {.phases = ofa_phases(*space_), .total_steps = 64, .learning_rate = 0.02})
            : make_deps(*space_,
                        {.schedule = {.peak = 0.02, .total_steps = 64, .warmup_steps = 3}});
    nn::Supernet weights = supernet(device, options.shards);
    const auto report = [&](const Progress& progress) {
      if (progress.done >= stop) throw Stopped();
    };
    lathe::train::train(weights, *space_, *strategy, dataset_, options, report);
    return Evaluator(dataset_, {}).validation_top1(weights, space_->graph(space_->largest()));
  }

  std::shared_ptr<const space::Space> space_ = pattern_space();
  data::Dataset dataset_ = lathe::testing::pattern_dataset(256);
};

double difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.cpu() - b.cpu()).norm().item<double>() / b.cpu().norm().item<double>();
}

TEST_F(GpuTraining, AStepsLossGradientAndObservationsAreTheCpus) {
  const at::Generator generator = nn::make_generator(c10::kCPU, 3);
  const std::int64_t size = lathe::testing::kPatternSize;
  const Batch batch{at::randn({12, 1, size, size}, generator),
                    at::randint(4, {12}, generator, at::kLong)};
  const nn::Executor largest(space_->graph(space_->largest()));
  const nn::Executor smallest(space_->graph(space_->smallest()));
  const std::vector<LossTerm> first{{Target::kLabels, 1.0}};
  const std::vector<LossTerm> second{
      {Target::kLabels, 0.5}, {Target::kFirstPass, 0.25}, {Target::kTeacher, 2.0}};
  const std::vector<StepPass> passes{{.net = &largest, .losses = first},
                                     {.net = &smallest, .losses = second, .observe = true}};
  for (const nn::Precision precision : {nn::Precision::kFloat32, nn::Precision::kBfloat16}) {
    std::vector<StepResult> results;
    std::vector<at::Tensor> gradients;
    for (const std::string device : {"cpu", "cuda"}) {
      nn::Supernet weights = supernet(device, 2);
      const nn::Supernet teacher(space_, {.seed = 2, .device = nn::open_device(device)});
      Step step(weights, {.shards = 2, .threads = 2, .precision = precision});
      results.push_back(step.run(0, passes,
                                 [&](int shard) {
                                   return Batch{batch.images.narrow(0, 6 * shard, 6),
                                                batch.labels.narrow(0, 6 * shard, 6)};
                                 },
                                 {.weights = &teacher, .net = &largest}));
      gradients.push_back(weights.parameters().packed(weights.parameters().grads()));
    }
    const bool rounded = precision == nn::Precision::kBfloat16;
    EXPECT_NEAR(results[1].loss, results[0].loss, rounded ? 0.03 : 1e-4);
    EXPECT_LT(difference(gradients[1], gradients[0]), rounded ? 0.2 : 1e-3);
    ASSERT_EQ(results[1].observations.size(), 1U);
    const std::vector<float>& seen = results[1].observations[0].losses;
    ASSERT_EQ(seen.size(), 12U);
    for (std::size_t i = 0; i < seen.size(); ++i) {
      EXPECT_NEAR(seen[i], results[0].observations[0].losses[i], rounded ? 0.1 : 1e-3);
    }
  }
}

TEST_F(GpuTraining, LearnsInEveryPrecision) {
  for (const nn::Precision precision :
       {nn::Precision::kFloat32, nn::Precision::kTf32, nn::Precision::kBfloat16}) {
    for (const bool ofa : {false, true}) {
      const TemporaryFolder folder;
      EXPECT_GT(train("cuda", folder.path(), ofa, 1000, precision), 0.45)
          << nn::to_string(precision) << ofa;
    }
  }
}

TEST_F(GpuTraining, ARunGoesOnOnAnotherDevice) {
  for (const bool ofa : {false, true}) {
    for (const bool begins_on_the_gpu : {true, false}) {
      const TemporaryFolder folder;
      const std::string first = begins_on_the_gpu ? "cuda" : "cpu";
      const std::string second = begins_on_the_gpu ? "cpu" : "cuda";
      EXPECT_THROW(train(first, folder.path(), ofa, 48), Stopped);
      EXPECT_GT(train(second, folder.path(), ofa), 0.45) << first << ofa;
    }
  }
}

TEST_F(GpuTraining, NetsAreAsGoodAsOnTheCpu) {
  const TemporaryFolder folder;
  train("cpu", folder.path(), false, 1000);
  nn::Supernet cpu = supernet("cpu"), gpu = supernet("cuda");
  load_trained(checkpoint_path(folder.path()), cpu);
  load_trained(checkpoint_path(folder.path()), gpu);
  const Evaluator evaluator(dataset_, {});
  const std::vector<graph::Graph> nets{space_->graph(space_->largest()),
                                       space_->graph(space_->smallest())};
  const std::vector<double> there = evaluator.validation_top1(gpu, nets);
  const std::vector<double> here = evaluator.validation_top1(cpu, nets);
  for (std::size_t i = 0; i < nets.size(); ++i) {
    EXPECT_NEAR(there[i], here[i], 1.5 / 64);  // an image near the border may fall on either side
  }
}

TEST_F(GpuTraining, ASearchOfCellsTakesTheCpusSteps) {
  for (const int parts : {1, 2}) {
    SCOPED_TRACE(parts);
    std::vector<std::vector<double>> losses;
    for (const std::string device : {"cpu", "cuda"}) {
      SearchBenchmark search(lathe::testing::pattern_cells(), {.net = {.channel_parts = parts},
                                                               .edge_weights = parts > 1,
                                                               .second_order = parts == 1,
                                                               .device = nn::open_device(device)});
      losses.emplace_back();
      for (int step = 0; step < 5; ++step) {
        losses.back().push_back(search.step());
      }
    }
    EXPECT_LT(losses[0].back(), losses[0].front());
    for (std::size_t step = 0; step < losses[0].size(); ++step) {
      EXPECT_NEAR(losses[1][step], losses[0][step], 1e-3);
    }
  }
}

TEST_F(GpuTraining, TheBenchmarkTakesTheSameSteps) {
  std::vector<double> losses;
  for (const std::string device : {"cpu", "cuda"}) {
    StepBenchmark benchmark(space_, {.batch_size = 16,
                                     .subnets = 3,
                                     .shards = 1,
                                     .threads = 1,
                                     .device = nn::open_device(device)});
    benchmark.train();
    losses.push_back(benchmark.train());
    benchmark.infer();
  }
  EXPECT_NEAR(losses[1], losses[0], 1e-3);
}

}  // namespace
}  // namespace lathe::train
