#include "lathe/search/all_targets/all_targets.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "lathe/latency/models/block_table.h"
#include "lathe/search/pareto.h"
#include "lathe/space/builtin_spaces.h"
#include "search/enumerated.h"

namespace lathe::search {
namespace {

using lathe::testing::AdditiveLatency;
using lathe::testing::Enumerated;
using lathe::testing::ExplainedAccuracy;
using lathe::testing::SyntheticAccuracy;
using lathe::testing::SyntheticLatency;

// Both engines: latency that says it is a sum, and latency that doesn't.
template <typename World>
class AllTargetsTest : public ::testing::Test {};
using Worlds = ::testing::Types<Enumerated<AdditiveLatency, ExplainedAccuracy>,
                                Enumerated<AdditiveLatency, SyntheticAccuracy>,
                                Enumerated<SyntheticLatency, SyntheticAccuracy>>;
TYPED_TEST_SUITE(AllTargetsTest, Worlds);

template <typename World>
SearchResult search(const World& world, std::vector<double> targets_ms,
                    const SearchOptions& options = {}, const ProgressFn& progress = {},
                    std::uint64_t seed = 1) {
  Rng rng(seed);
  return search_targets(world.space, world.latency, world.accuracy, targets_ms, options, rng,
                        progress);
}

TYPED_TEST(AllTargetsTest, FindsTheBestNetForEveryTarget) {
  const TypeParam world(2, 3);
  const Problem problem(world.space, world.latency, world.accuracy);
  const auto result = search(world, world.targets(), {.effort = Effort::kFast});
  for (const TargetResult& target : result.targets) {
    ASSERT_TRUE(target.feasible);
    EXPECT_EQ(target.candidates.front(), world.best_within(target.target_ms, problem));
    EXPECT_FALSE(target.provenance.empty());
    EXPECT_EQ(target.evaluations, result.evaluations);
  }
  EXPECT_EQ(result.front, pareto_front(result.front));
}

TYPED_TEST(AllTargetsTest, CandidatesAreDistinctSortedAndWithinTheTarget) {
  const TypeParam world(3, 4);
  const auto result =
      search(world, world.targets(), {.max_evaluations = 600, .candidates_per_target = 7});
  EXPECT_EQ(result.evaluations, 600);
  for (const TargetResult& target : result.targets) {
    EXPECT_LE(target.candidates.size(), 7U);
    EXPECT_TRUE(std::ranges::is_sorted(target.candidates, better));
    for (const Candidate& candidate : target.candidates) {
      EXPECT_LE(candidate.predicted_ms, target.target_ms);
    }
  }
}

TYPED_TEST(AllTargetsTest, TheTraceNeverFallsAndEndsWithTheAnswer) {
  const TypeParam world(3, 6);
  const auto result = search(world, world.targets(), {.max_evaluations = 700});
  for (std::size_t g = 1; g < result.trace.size(); ++g) {
    EXPECT_EQ(result.trace[g].generation, static_cast<int>(g));
    EXPECT_GE(result.trace[g].evaluations, result.trace[g - 1].evaluations);
    for (std::size_t t = 0; t < result.targets.size(); ++t) {
      EXPECT_GE(result.trace[g].best_accuracy[t], result.trace[g - 1].best_accuracy[t]);
    }
  }
  for (std::size_t t = 0; t < result.targets.size(); ++t) {
    EXPECT_EQ(result.trace.back().best_accuracy[t],
              result.targets[t].candidates.front().predicted_accuracy);
    if (t > 0) {  // what fits a lower target is never missed by a higher one
      EXPECT_GE(result.trace.back().best_accuracy[t], result.trace.back().best_accuracy[t - 1]);
    }
  }
}

TYPED_TEST(AllTargetsTest, InfeasibleTargetsAreAResultAndTheOthersGoOn) {
  const TypeParam world(2, 3);
  const double minimum_ms = world.targets().front();
  const auto result = search(world, {minimum_ms * 0.5, minimum_ms, world.targets().back()},
                             {.effort = Effort::kFast});
  ASSERT_EQ(result.targets.size(), 3U);
  EXPECT_FALSE(result.targets[0].feasible);
  EXPECT_TRUE(result.targets[0].candidates.empty());
  EXPECT_NEAR(result.targets[0].minimum_ms, minimum_ms, 1e-9);
  EXPECT_TRUE(result.targets[1].feasible);
  EXPECT_EQ(result.targets[2].candidates.front(), world.all.front());
  EXPECT_EQ(result.trace.back().first_target, 1);

  const auto none = search(world, {minimum_ms * 0.5});
  EXPECT_FALSE(none.targets.front().feasible);
  EXPECT_NEAR(none.targets.front().minimum_ms, minimum_ms, 1e-9);
  EXPECT_EQ(none.evaluations, 0);
  EXPECT_TRUE(none.trace.empty());
}

TYPED_TEST(AllTargetsTest, SameSeedSameTrace) {
  const TypeParam world(3, 5);
  const SearchOptions options{.max_evaluations = 500};
  const auto a = search(world, world.targets(), options);
  const auto b = search(world, world.targets(), options);
  EXPECT_EQ(a.trace, b.trace);
  EXPECT_EQ(a.targets, b.targets);
  EXPECT_NE(search(world, world.targets(), options, {}, 2).trace, a.trace);
}

TYPED_TEST(AllTargetsTest, TimeStopsItToo) {
  const TypeParam world(3, 5);
  const auto result = search(world, world.targets(), {.budget_s = 1e-6});
  EXPECT_GT(result.evaluations, 0);
  EXPECT_LT(result.evaluations, 5000);
}

TYPED_TEST(AllTargetsTest, ReportsProgress) {
  const TypeParam world(3, 5);
  std::vector<Progress> seen;
  search(world, world.targets(), {.max_evaluations = 600},
         [&](const Progress& progress) { seen.push_back(progress); });
  ASSERT_GE(seen.size(), 2U);
  EXPECT_EQ(seen.front().stage, "search");
  EXPECT_EQ(seen.back().done, 600);
  EXPECT_EQ(seen.back().total, 600);
}

/// Costs in proportion to what a block reads and computes, roughly.
latency::BlockTable area_table(const space::Space& space) {
  latency::BlockCosts costs;
  for (const space::Block& block : space.distinct_blocks()) {
    const auto pixels = static_cast<double>(block.output.height * block.output.width);
    costs.coefficients_ms[block.key()] =
        1e-6 * (static_cast<double>(block.input.size()) +
                pixels * std::max(1, block.mid_channels) * (10 + block.kernel * block.kernel));
  }
  return {space, std::move(costs)};
}

TEST(AllTargetsOnBuiltinSpaces, BeatRandomNetsWithinTheSameTargets) {
  for (const char* name : {"mbv3_28", "ofa_proxyless_w1.3", "ofa_resnet50d", "compofa_mbv3",
                           "compofa_mbv3_elastic_kernel", "mobilenet_v1_widths"}) {
    const auto space = space::make_space(name, {.input_size = 32});
    const latency::BlockTable table = area_table(*space);
    const SyntheticAccuracy accuracy(*space, 2);
    const double least = table.predict_ms(space->smallest());
    const double most = table.predict_ms(space->largest());
    std::vector<double> targets;
    for (const double share : {0.25, 0.5, 1.0}) {
      targets.push_back(least + share * (most - least));
    }
    Rng rng(1);
    const auto result =
        search_targets(*space, table, accuracy, targets, {.max_evaluations = 1500}, rng);
    std::vector<double> best_random(targets.size(), 0.0);
    const Problem problem(*space, table, accuracy);
    for (std::size_t t = 0; t < targets.size(); ++t) {
      for (int i = 0; i < 500; ++i) {
        const space::Arch arch = problem.sample_within(targets[t], rng).arch;
        best_random[t] = std::max(best_random[t], accuracy.predict(arch));
      }
      EXPECT_GE(result.targets[t].candidates.front().predicted_accuracy, best_random[t])
          << name << " " << t;
    }
  }
}

}  // namespace
}  // namespace lathe::search
