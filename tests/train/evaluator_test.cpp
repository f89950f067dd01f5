#include "lathe/train/evaluator.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "core/temporary_folder.h"
#include "nn/supernet_state.h"
#include "train/pattern_images.h"

namespace lathe::train {
namespace {

using lathe::testing::pattern_dataset;
using lathe::testing::pattern_space;
using lathe::testing::text_thrown;

/// Images of one pixel, in the middle of whose range the net below changes its answer.
data::ImageSet pixels(const std::vector<std::uint8_t>& values, const std::vector<int>& labels) {
  return data::ImageArray{
      .channels = 1, .height = 1, .width = 1, .num_classes = 2, .pixels = values, .labels = labels};
}

TEST(Evaluator, CountsRightAnswers) {
  data::Dataset dataset{.name = "pixels",
                        .train = pixels({0, 255}, {0, 1}),
                        .validation = pixels({10, 100, 120, 130, 250}, {0, 0, 1, 1, 0}),
                        .test = {},
                        .normalization = {.mean = {0.5F}, .stddev = {1.0F}}};
  graph::Graph graph({1, 1, 1});
  graph.linear(0, "fc", 2, false);
  const nn::Executor net(graph);
  const nn::Binding binding = nn::bind({graph, {{"fc.weight", {{2, 1}, {-1, 1}}}}});
  for (const std::int64_t batch_size : {1, 2, 5, 100}) {
    const Evaluator evaluator(dataset, {.batch_size = batch_size, .augment = {.crop_padding = 0}});
    const auto top1 = [&](std::int64_t limit) {
      return evaluator.top1(net, binding, dataset.validation, limit);
    };
    // Right, right, wrong, right, wrong.
    EXPECT_DOUBLE_EQ(evaluator.top1(net, binding, dataset.validation), 0.6);
    EXPECT_DOUBLE_EQ(top1(1), 1.0);
    EXPECT_DOUBLE_EQ(top1(3), 2.0 / 3);
    EXPECT_DOUBLE_EQ(top1(4), 0.75);
    EXPECT_DOUBLE_EQ(top1(1000), 0.6);
    EXPECT_EQ(text_thrown<std::invalid_argument>([&] { top1(0); }),
              "[train::Evaluator::scores] needs at least one image");
  }
}

TEST(Evaluator, CountsSoftlyByTheMargin) {
  data::Dataset dataset{.name = "pixels",
                        .train = pixels({0, 255}, {0, 1}),
                        .validation = {},
                        .test = {},
                        .normalization = {.mean = {0.0F}, .stddev = {1.0F}}};
  dataset.validation = data::ImageArray{.channels = 1,
                                        .height = 1,
                                        .width = 1,
                                        .num_classes = 3,
                                        .pixels = {0, 255, 51, 204},
                                        .labels = {0, 1, 1, 2}};
  graph::Graph graph({1, 1, 1});
  graph.linear(0, "fc", 3, true);
  const nn::Executor net(graph);
  // Logits 1 - x, x and 0.5 of a pixel x.
  const nn::Binding binding =
      nn::bind({graph, {{"fc.weight", {{3, 1}, {-1, 1, 0}}}, {"fc.bias", {{3}, {1, 0, 0.5F}}}}});
  const std::vector<double> margins{0.5, 0.5, 0.2 - 0.8, 0.5 - 0.8};
  double expected = 0;
  for (const double margin : margins) expected += 1 / (1 + std::exp(-2 * margin)) / 4;
  for (const std::int64_t batch_size : {1, 3, 4}) {
    const Evaluator evaluator(dataset, {.batch_size = batch_size, .augment = {.crop_padding = 0}});
    const BoundNet bound{&net, &binding};
    const std::vector<Score> scores = evaluator.scores({&bound, 1}, dataset.validation);
    ASSERT_EQ(scores.size(), 1U);
    EXPECT_DOUBLE_EQ(scores[0].top1, 0.5);
    EXPECT_NEAR(scores[0].soft_top1, expected, 1e-6);
  }
  // Of a net that has diverged nothing is right.
  const nn::Binding diverged =
      nn::bind({graph, {{"fc.weight", {{3, 1}, {0, 0, 0}}}, {"fc.bias", {{3}, {NAN, NAN, NAN}}}}});
  const BoundNet bound{&net, &diverged};
  EXPECT_EQ(Evaluator(dataset, {}).scores({&bound, 1}, dataset.validation)[0].soft_top1, 0.0);
}

TEST(Evaluator, RecalibratesOnTheSameAugmentedImagesEachTime) {
  const data::Dataset dataset = pattern_dataset();
  const auto space = pattern_space();
  nn::Supernet supernet(space, {.seed = 1});
  Rng rng(1);
  supernet.load_state(lathe::testing::random_state(supernet, rng), "test");
  const TensorMap before = supernet.state();
  const EvaluatorOptions options{
      .calibration_images = 100, .batch_size = 40, .augment = {.crop_padding = 1}, .seed = 2};
  const Evaluator evaluator(dataset, options);
  const nn::Executor net(space->graph(space->smallest()));
  const nn::Binding first = evaluator.calibrated(supernet, net);
  const nn::Binding second = evaluator.calibrated(supernet, net);
  EXPECT_EQ(supernet.state(), before) << "the supernet has changed";

  // By hand: 40, 40 and 20 images.
  const auto batches = data::Batches::over(data::fixed_subset(dataset.train.size(), 100, 2), 40);
  nn::Binding expected = supernet.bind(net.graph());
  std::int64_t next = 0;
  nn::calibrate_batch_norm(net, expected, [&]() -> std::optional<at::Tensor> {
    if (next == batches.count()) return std::nullopt;
    return make_batch(dataset.train, batches[next++],
                      data::Augmentation{options.augment, options.seed, 0}, dataset.normalization)
        .images;
  });
  EXPECT_EQ(next, 3);
  const TensorMap weights = nn::to_net(net.graph(), first).weights;
  EXPECT_EQ(weights, nn::to_net(net.graph(), expected).weights);
  EXPECT_EQ(weights, nn::to_net(net.graph(), second).weights);
  EXPECT_NE(weights, nn::to_net(net.graph(), supernet.bind(net.graph())).weights);

  EXPECT_DOUBLE_EQ(evaluator.validation_top1(supernet, net.graph(), 30),
                   evaluator.top1(net, first, dataset.validation, 30));
  EXPECT_DOUBLE_EQ(evaluator.validation_top1(supernet, net.graph()),
                   evaluator.top1(net, first, dataset.validation));
  EXPECT_EQ(supernet.state(), before) << "the supernet has changed";
}

}  // namespace
}  // namespace lathe::train
