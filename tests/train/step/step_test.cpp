// What a step adds to the gradient, pass by pass and loss by loss, against autograd by hand.
#include "lathe/train/step/step.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/nn/supernet.h"
#include "lathe/train/step/loss.h"
#include "train/pattern_images.h"

namespace lathe::train {
namespace {

using lathe::testing::pattern_space;
using lathe::testing::text_thrown;

class StepTest : public ::testing::Test {
 protected:
  StepTest() {
    const auto generator = at::detail::createCPUGenerator(3);
    const std::int64_t size = lathe::testing::kPatternSize;
    batch_ = {at::randn({6, 1, size, size}, generator), at::randint(4, {6}, generator, at::kLong)};
  }

  std::shared_ptr<const space::Space> space_ = pattern_space();
  nn::Supernet weights_{space_, {.seed = 1}};
  nn::Executor largest_{space_->graph(space_->largest())};
  nn::Executor smallest_{space_->graph(space_->smallest())};
  Batch batch_;

  at::Tensor logits(nn::SharedWeights& weights, const nn::Executor& net, bool training = true) {
    return net.forward(weights.bind(net.graph()), batch_.images,
                       {.training = training, .dropout = false});
  }
  StepResult run(std::span<const StepPass> passes, const Teacher& teacher = {}) {
    Step step(weights_, {.shards = 1, .threads = 1, .label_smoothing = 0.1});
    return step.run(
        0, passes, [&](int) { return batch_; }, teacher);
  }
};

TEST_F(StepTest, AddsLossesByTheirWeightsFromAllTargets) {
  nn::Supernet other(space_, {.seed = 2});
  const at::Tensor taught = logits(other, largest_, /*training=*/false).detach();
  const std::vector<LossTerm> first{{Target::kLabels, 1.0}};
  const std::vector<LossTerm> second{
      {Target::kLabels, 0.5}, {Target::kFirstPass, 0.25}, {Target::kTeacher, 2.0}};
  const std::vector<StepPass> passes{{.net = &largest_, .losses = first},
                                     {.net = &smallest_, .losses = second}};
  const StepResult result = run(passes, {.weights = &other, .net = &largest_});
  const at::Tensor got = weights_.parameters().grads().clone();

  weights_.parameters().grads().zero_();
  const at::Tensor a = logits(weights_, largest_);
  label_loss(a, batch_.labels, 0.1).backward();
  const at::Tensor b = logits(weights_, smallest_);
  (0.5 * label_loss(b, batch_.labels, 0.1) + 0.25 * soft_label_loss(b, a.detach()) +
   2.0 * soft_label_loss(b, taught))
      .backward();
  const at::Tensor expected = weights_.parameters().grads();
  EXPECT_LT((got - expected).abs().max().item<double>(),
            1e-5 * expected.abs().max().item<double>());
  EXPECT_NEAR(result.loss, label_loss(a, batch_.labels, 0.1).item<double>(), 1e-5);
}

TEST_F(StepTest, ReportsEachImagesLossOfThePassesThatAreObserved) {
  const std::vector<LossTerm> labels{{}};
  const std::vector<StepPass> passes{{.net = &largest_, .losses = labels},
                                     {.net = &smallest_, .losses = labels, .observe = true}};
  nn::Supernet shared(space_, {.seed = 1, .replicas = 2});
  Step step(shared, {.shards = 2, .threads = 2});
  const StepResult result = step.run(0, passes, [&](int shard) {
    return Batch{batch_.images.narrow(0, 3 * shard, 3), batch_.labels.narrow(0, 3 * shard, 3)};
  });
  ASSERT_EQ(result.observations.size(), 1U);
  EXPECT_EQ(result.observations[0].pass, 1U);
  ASSERT_EQ(result.observations[0].losses.size(), 6U);
  for (int shard = 0; shard < 2; ++shard) {
    const at::Tensor part =
        smallest_.forward(weights_.bind(smallest_.graph()), batch_.images.narrow(0, 3 * shard, 3),
                          {.training = true, .dropout = false});
    for (int i = 0; i < 3; ++i) {
      const double expected =
          label_loss(part.narrow(0, i, 1), batch_.labels.narrow(0, 3 * shard + i, 1), 0.0)
              .item<double>();
      EXPECT_NEAR(result.observations[0].losses[static_cast<std::size_t>(3 * shard + i)], expected,
                  1e-4);
    }
  }
}

TEST_F(StepTest, ResizesImagesToANetsInput) {
  space::MobileSpec spec = lathe::testing::small_spec(
      {.in_channels = 1, .num_classes = 4, .input_size = 2 * lathe::testing::kPatternSize});
  const auto twice = space::make_mobile_space(spec);
  const nn::Executor net(twice->graph(twice->largest()));
  const std::vector<LossTerm> labels{{}};
  const std::vector<StepPass> passes{{.net = &net, .losses = labels}};
  const double loss = run(passes).loss;
  const at::Tensor large = at::upsample_bilinear2d(
      batch_.images, {2 * lathe::testing::kPatternSize, 2 * lathe::testing::kPatternSize}, false);
  const at::Tensor logits_of =
      net.forward(weights_.bind(net.graph()), large, {.training = true, .dropout = false});
  EXPECT_NEAR(loss, label_loss(logits_of, batch_.labels, 0.1).item<double>(), 1e-5);
}

TEST_F(StepTest, AddsAnAuxiliaryHeadsLossAndReportsTheNetsOwn) {
  // Two heads of four classes each: the pattern's net has but one, so that one is made here.
  graph::Graph two(largest_.graph().input_shape());
  const int pooled = two.global_avg_pool(0);
  two.concat({two.linear(pooled, "own", 4, true), two.linear(pooled, "auxiliary", 4, true)});
  nn::SharedWeights weights("two heads", two, {}, {.seed = 2});
  const nn::Executor net(two);
  const std::vector<LossTerm> labels{{}};
  const StepPass pass{.net = &net, .losses = labels, .auxiliary_weight = 0.4};
  Step step(weights, {.shards = 1, .threads = 1, .label_smoothing = 0.1});
  const StepResult result = step.run(0, {&pass, 1}, [&](int) { return batch_; });
  const at::Tensor got = weights.parameters().grads().clone();
  weights.parameters().grads().zero_();
  const at::Tensor out = net.forward(weights.bind(two), batch_.images, {.training = true});
  const at::Tensor own = label_loss(out.narrow(1, 0, 4), batch_.labels, 0.1);
  (own + 0.4 * label_loss(out.narrow(1, 4, 4), batch_.labels, 0.1)).backward();
  EXPECT_LT((got - weights.parameters().grads()).abs().max().item<double>(), 1e-6);
  EXPECT_NEAR(result.loss, own.item<double>(), 1e-6);
}

TEST_F(StepTest, FixedWeightsLeaveTheGradientToWhatIsAdded) {
  graph::Graph mixed(largest_.graph().input_shape());
  const int a = mixed.batch_norm(mixed.conv(0, "a", {.out_channels = 4}), "n", 1e-5);
  const int b = mixed.conv(0, "b", {.out_channels = 4});
  mixed.global_avg_pool(mixed.mixed_sum({a, b}, "mix"));
  nn::SharedWeights weights("mixed", mixed, {}, {.seed = 2});
  const nn::Executor net(mixed);
  const at::Tensor mixing = at::tensor({0.3F, 0.7F}).requires_grad_();
  const std::vector<LossTerm> labels{{}};
  const auto before = weights.state();
  Step step(weights, {.shards = 1, .threads = 1});
  for (const bool fixed : {true, false}) {
    const StepPass pass{
        .net = &net,
        .losses = labels,
        .complete = [&](nn::Binding& binding,
                        int) { binding[static_cast<std::size_t>(4)].weight = mixing; },
        .fixed_weights = fixed};
    ASSERT_EQ(mixed[4].op, graph::Op::kMixedSum);
    mixing.mutable_grad() = at::Tensor();
    step.run(0, {&pass, 1}, [&](int) { return batch_; });
    EXPECT_GT(mixing.grad().abs().sum().item<double>(), 0);
    EXPECT_EQ(weights.parameters().grads().abs().sum().item<double>() == 0, fixed);
    EXPECT_EQ(weights.state() == before, fixed);  // the running statistics move with the weights
  }
}

TEST_F(StepTest, InBfloat16KeepsWeightsAndGradientInFloat32) {
  const std::vector<LossTerm> labels{{}}, taught{{Target::kTeacher, 1.0}};
  const std::vector<StepPass> passes{{.net = &largest_, .losses = labels},
                                     {.net = &smallest_, .losses = taught}};
  const nn::Supernet other(space_, {.seed = 2});
  std::vector<double> losses;
  std::vector<at::Tensor> gradients;
  for (const nn::Precision precision : {nn::Precision::kFloat32, nn::Precision::kBfloat16}) {
    nn::Supernet weights(space_, {.seed = 1});
    Step step(weights, {.shards = 1, .threads = 1, .precision = precision});
    losses.push_back(
        step.run(0, passes, [&](int) { return batch_; }, {.weights = &other, .net = &largest_})
            .loss);
    EXPECT_EQ(weights.parameters().values().scalar_type(), at::kFloat);
    gradients.push_back(weights.parameters().grads());
    EXPECT_EQ(gradients.back().scalar_type(), at::kFloat);
  }
  EXPECT_NE(losses[1], losses[0]);
  EXPECT_NEAR(losses[1], losses[0], 0.03);
  EXPECT_LT((gradients[1] - gradients[0]).norm().item<double>(),
            0.2 * gradients[0].norm().item<double>());
}

TEST_F(StepTest, SaysWhatCanNotBeLearnedFrom) {
  const std::vector<LossTerm> self{{Target::kFirstPass, 1.0}}, teacher{{Target::kTeacher, 1.0}};
  const std::vector<StepPass> from_itself{{.net = &largest_, .losses = self}};
  const std::vector<StepPass> from_nobody{{.net = &largest_, .losses = teacher}};
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { run(from_itself); }),
            "[train::Step] the first pass can't learn from itself");
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { run(from_nobody); }),
            "[train::Step] pass 0 learns from a teacher, and there is none");
  const std::vector<LossTerm> labels{{}};
  const std::vector<StepPass> mixed{{.net = &largest_, .losses = labels},
                                    {.net = &largest_, .losses = labels, .fixed_weights = true}};
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { run(mixed); }),
            "[train::Step] either all passes have fixed weights or none");
}

}  // namespace
}  // namespace lathe::train
