#include "lathe/train/strategies/deps.h"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/temporary_folder.h"
#include "nn/small_space.h"

namespace lathe::train {
namespace {

using lathe::testing::small_space;
using lathe::testing::text_thrown;

TEST(Deps, EpsilonByHand) {
  // Shrinking starts at step 20; the ramp is a quarter of the other 20 steps: 5 steps.
  const DepsOptions options{.schedule = {.total_steps = 40},
                            .warmup_share = 0.5,
                            .ramp_share = 0.25,
                            .epsilon_start = 1e-4};
  for (const int step : {0, 1, 19}) {
    EXPECT_EQ(deps_epsilon(options, step), 0.0) << step;
  }
  EXPECT_DOUBLE_EQ(deps_epsilon(options, 20), 1e-4);
  EXPECT_DOUBLE_EQ(deps_epsilon(options, 21), 0.20008);
  EXPECT_DOUBLE_EQ(deps_epsilon(options, 22), 0.40006);
  EXPECT_DOUBLE_EQ(deps_epsilon(options, 23), 0.60004);
  EXPECT_DOUBLE_EQ(deps_epsilon(options, 24), 0.80002);
  for (const int step : {25, 26, 39}) {
    EXPECT_EQ(deps_epsilon(options, step), 1.0) << step;
  }
}

TEST(Deps, EpsilonWithoutWarmupOrRamp) {
  EXPECT_EQ(
      deps_epsilon({.schedule = {.total_steps = 10}, .warmup_share = 0, .epsilon_start = 0.5}, 0),
      0.5);
  const DepsOptions sudden{.schedule = {.total_steps = 10}, .warmup_share = 0.3, .ramp_share = 0};
  EXPECT_EQ(deps_epsilon(sudden, 2), 0.0);
  EXPECT_EQ(deps_epsilon(sudden, 3), 1.0);
  const DepsOptions never{.schedule = {.total_steps = 10}, .warmup_share = 1};
  EXPECT_EQ(deps_epsilon(never, 9), 0.0);
}

TEST(Deps, PassesOfAStep) {
  const auto space = small_space();
  const DepsOptions options{.schedule = {.total_steps = 40}, .random_subnets = 3, .seed = 5};
  const auto strategy = make_deps(*space, options);
  std::unordered_set<space::Arch> drawn;
  for (std::int64_t step = 0; step < 40; ++step) {
    const std::vector<Pass> passes = strategy->plan(step).passes;
    ASSERT_EQ(passes.size(), step < 20 ? 1U : 5U) << step;
    EXPECT_EQ(passes[0].arch, space->largest());
    ASSERT_EQ(passes[0].losses.size(), 1U);
    EXPECT_EQ(passes[0].losses[0].weight, 1.0);
    EXPECT_EQ(passes[0].losses[0].target, Target::kLabels);
    EXPECT_TRUE(passes[0].dropout);
    for (std::size_t i = 1; i < passes.size(); ++i) {
      ASSERT_EQ(passes[i].losses.size(), 1U);
      EXPECT_EQ(passes[i].losses[0].weight, deps_epsilon(options, step));
      EXPECT_EQ(passes[i].losses[0].target, Target::kFirstPass);
      EXPECT_FALSE(passes[i].dropout);
      if (i == 1) {
        EXPECT_EQ(passes[i].arch, space->smallest());
      } else {
        space->check(passes[i].arch);
        drawn.insert(passes[i].arch);
      }
    }
  }
  EXPECT_GT(drawn.size(), 50U) << "of 60 drawn";
}

TEST(Deps, IsAFunctionOfTheStep) {
  const auto space = small_space();
  const auto archs = [&](const DepsOptions& options, std::int64_t step) {
    std::vector<space::Arch> all;
    const StepPlan plan = make_deps(*space, options)->plan(step);
    for (const Pass& pass : plan.passes) all.push_back(pass.arch);
    return all;
  };
  const DepsOptions options{.schedule = {.total_steps = 10}, .seed = 1};
  const auto strategy = make_deps(*space, options);
  strategy->plan(9);
  strategy->plan(6);
  std::vector<space::Arch> seventh;
  const StepPlan plan = strategy->plan(7);
  for (const Pass& pass : plan.passes) seventh.push_back(pass.arch);
  EXPECT_EQ(seventh, archs(options, 7));
  EXPECT_NE(seventh, archs(options, 8));
  EXPECT_NE(seventh, archs({.schedule = {.total_steps = 10}, .seed = 2}, 7));
}

TEST(Deps, SortsOnceWhenShrinkingStarts) {
  const auto space = small_space();
  const auto sorts = [&](double warmup_share) {
    const auto strategy =
        make_deps(*space, {.schedule = {.total_steps = 40}, .warmup_share = warmup_share});
    std::vector<std::int64_t> steps;
    for (std::int64_t step = 0; step < 40; ++step) {
      if (strategy->plan(step).sort_channels) steps.push_back(step);
    }
    return steps;
  };
  EXPECT_EQ(sorts(0.5), std::vector<std::int64_t>{20});
  EXPECT_EQ(sorts(0.26), std::vector<std::int64_t>{10});
  EXPECT_EQ(sorts(0), std::vector<std::int64_t>{0});
  EXPECT_EQ(sorts(1), std::vector<std::int64_t>{});
}

TEST(Deps, InPlaceDistillationBeginsAtOnce) {
  const auto space = small_space();
  const DepsOptions options{
      .schedule = {.total_steps = 40}, .ramp_share = 0.5, .in_place_distillation = true};
  EXPECT_DOUBLE_EQ(deps_epsilon(options, 0), 1e-4);
  EXPECT_EQ(deps_epsilon(options, 20), 1.0);
  const auto strategy = make_deps(*space, options);
  EXPECT_EQ(strategy->plan(0).passes.size(), 4U);
  EXPECT_TRUE(strategy->plan(0).sort_channels.has_value());
  EXPECT_FALSE(strategy->plan(20).sort_channels.has_value());
}

TEST(Deps, JsonHasEveryOption) {
  const auto space = small_space();
  const auto json = [&](const DepsOptions& options) {
    return make_deps(*space, options)->to_json();
  };
  const DepsOptions base{.schedule = {.total_steps = 10}};
  EXPECT_EQ(json(base)["method"], "deps");
  EXPECT_EQ(json(base), json(base));
  for (const DepsOptions& other :
       {DepsOptions{.schedule = {.total_steps = 11}},
        DepsOptions{.schedule = {.total_steps = 10}, .warmup_share = 0.4},
        DepsOptions{.schedule = {.total_steps = 10}, .ramp_share = 0.4},
        DepsOptions{.schedule = {.total_steps = 10}, .epsilon_start = 0.4},
        DepsOptions{.schedule = {.total_steps = 10}, .in_place_distillation = true},
        DepsOptions{.schedule = {.total_steps = 10}, .random_subnets = 1},
        DepsOptions{.schedule = {.peak = 0.3, .total_steps = 10}},
        DepsOptions{.schedule = {.total_steps = 10}, .seed = 1}}) {
    EXPECT_NE(json(other), json(base));
  }
}

TEST(Deps, SaysWhichOptionIsAtFault) {
  const auto space = small_space();
  const auto text = [&](const DepsOptions& options) {
    return text_thrown<std::invalid_argument>([&] { make_deps(*space, options); });
  };
  EXPECT_EQ(text({.schedule = {.total_steps = 0}}),
            "[train::make_deps] total_steps must be > 0, got 0");
  EXPECT_EQ(text({.schedule = {.total_steps = 1}, .warmup_share = 1.5}),
            "[train::make_deps] warmup_share must be in [0, 1], got 1.500000");
  EXPECT_EQ(text({.schedule = {.total_steps = 1},
                  .warmup_share = std::numeric_limits<double>::quiet_NaN()}),
            "[train::make_deps] warmup_share must be in [0, 1], got nan");
  EXPECT_EQ(text({.schedule = {.total_steps = 1}, .ramp_share = -0.5}),
            "[train::make_deps] ramp_share must be in [0, 1], got -0.500000");
  EXPECT_EQ(text({.schedule = {.total_steps = 1}, .epsilon_start = 0}),
            "[train::make_deps] epsilon_start must be in (0, 1], got 0.000000");
  EXPECT_EQ(text({.schedule = {.total_steps = 1}, .random_subnets = -1}),
            "[train::make_deps] random_subnets must be >= 0, got -1");
}

}  // namespace
}  // namespace lathe::train
