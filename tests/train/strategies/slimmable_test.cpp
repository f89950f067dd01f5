// Slimmable training: what a step trains, where its gradients go, what its observations say.
#include "lathe/train/strategies/slimmable.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/nn/supernet.h"
#include "lathe/train/step/step.h"
#include "space/tiny_spaces.h"
#include "train/pattern_images.h"

namespace lathe::train {
namespace {

using lathe::testing::text_thrown;
using space::Arch;

/// tiny_residual_chain for the pattern images.
std::shared_ptr<const space::Space> residual_chain() {
  space::ChainSpec spec = testing::tiny_residual_chain();
  spec.task = {.in_channels = 1, .num_classes = 4, .input_size = testing::kPatternSize};
  return space::make_chain_space(spec);
}

TEST(Slimmable, SandwichesNetsWithWidthsOfTheirOwn) {
  const auto space = residual_chain();
  const auto strategy =
      make_slimmable(*space, {.schedule = {.peak = 0.2, .total_steps = 30, .final_share = 1},
                              .random_subnets = 2,
                              .seed = 3});
  EXPECT_EQ(strategy->total_steps(), 30);
  std::set<Arch> drawn;
  for (std::int64_t step = 0; step < 30; ++step) {
    const StepPlan plan = strategy->plan(step);
    EXPECT_EQ(plan.learning_rate, 0.2) << "constant";
    ASSERT_EQ(plan.passes.size(), 4U);
    EXPECT_EQ(plan.passes[0].arch, space->largest());
    EXPECT_EQ(plan.passes[1].arch, space->smallest());
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(plan.passes[i].losses.at(0).target, i == 0 ? Target::kLabels : Target::kFirstPass);
      EXPECT_EQ(plan.passes[i].observe, i != 1);
      if (i > 1) drawn.insert(plan.passes[i].arch);
    }
  }
  EXPECT_GT(drawn.size(), 30U);  // of 96
}

TEST(Slimmable, GradientsOfANetStayWithinItsSlices) {
  const auto space = residual_chain();
  nn::Supernet supernet(space, {.seed = 1});
  Step step(supernet, {.shards = 1, .threads = 1});
  const nn::Executor narrow(space->graph(space->smallest()));
  const data::ImageSet images = testing::pattern_images(16, 1);
  std::vector<std::int64_t> first(16);
  for (std::size_t i = 0; i < first.size(); ++i) first[i] = static_cast<std::int64_t>(i);
  const std::vector<LossTerm> losses{{}};
  const std::vector<StepPass> passes{{.net = &narrow, .losses = losses}};
  supernet.parameters().grads().zero_();
  step.run(0, passes, [&](int) {
    return make_batch(images, first, std::nullopt, data::channel_statistics(images));
  });
  const nn::Parameters& parameters = supernet.parameters();
  std::size_t narrower = 0;
  for (const graph::ParameterSpec& spec : graph::parameters_of(narrow.graph())) {
    if (spec.role != graph::ParameterSpec::Role::kWeight &&
        spec.role != graph::ParameterSpec::Role::kBias) {
      continue;
    }
    at::Tensor gradient = parameters.part(parameters.grads(), spec.name).clone();
    at::Tensor inside = gradient;
    for (std::size_t dim = 0; dim < spec.shape.size(); ++dim) {
      inside = inside.narrow(static_cast<std::int64_t>(dim), 0, spec.shape[dim]);
    }
    EXPECT_GT(inside.abs().sum().item<double>(), 0.0) << spec.name;
    narrower += inside.numel() < gradient.numel() ? 1 : 0;
    inside.zero_();
    EXPECT_EQ(gradient.abs().sum().item<double>(), 0.0) << spec.name;
  }
  EXPECT_GT(narrower, 20U);
}

TEST(Slimmable, ScoresAreOfTheErrorsBesideTheWidest) {
  const auto space = residual_chain();
  const SlimmableOptions options{.schedule = {.total_steps = 10},
                                 .random_subnets = 1,
                                 .scores = {.baseline = ScoreBaseline::kMean}};
  const auto strategy = make_slimmable(*space, options);
  WidthStatistics expected(*space, options.scores);
  for (std::int64_t step = 0; step < 10; ++step) {
    const auto loss = static_cast<float>(step);
    strategy->observe(
        step, {{.pass = 0, .losses = {0.5F, 1.5F}}, {.pass = 2, .losses = {loss, loss + 1.0F}}});
    expected.add(strategy->plan(step).passes[2].arch, (loss + 0.5) - 1.0, 2);
  }
  EXPECT_EQ(strategy->state(), expected.state());
  ASSERT_TRUE(strategy->width_scores().has_value());
}

TEST(Slimmable, SaysWhatIsWrong) {
  const auto space = residual_chain();
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] {
              make_slimmable(*space, {.schedule = {.total_steps = 4}, .random_subnets = 0});
            }),
            "[train::make_slimmable] total_steps must be > 0 and random_subnets >= 1, got 4 and 0");
  const auto strategy = make_slimmable(*space, {.schedule = {.total_steps = 4}});
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { strategy->observe(0, {{.pass = 0, .losses = {1.0F}}}); }),
            "[train::add_observations] expected the widest net's losses and 1 random nets', got 1 "
            "passes'");
}

}  // namespace
}  // namespace lathe::train
