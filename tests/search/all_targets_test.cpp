#include "lathe/search/all_targets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <unordered_set>

#include "lathe/latency/block_table.h"
#include "lathe/search/pareto.h"
#include "lathe/search/reachable_range.h"
#include "lathe/space/builtin_spaces.h"
#include "search/synthetic_models.h"
#include "space_fixtures/message_of.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::search {
namespace {

using lathe::testing::message_of;
using lathe::testing::SyntheticAccuracy;
using lathe::testing::SyntheticLatency;
using lathe::testing::TinySpace;

/// A tiny space, its models, and every net of it evaluated.
struct Problem {
  explicit Problem(int stages, std::uint64_t seed)
      : space(stages), latency(space, seed), accuracy(space, seed) {
    for (const space::Arch& arch : lathe::testing::all_archs(space)) {
      all.push_back({.arch = arch,
                     .predicted_ms = latency.predict_ms(arch),
                     .predicted_accuracy = accuracy.predict(arch)});
    }
    std::ranges::sort(all, better);
  }

  double latency_at(double share) const {
    const auto [least, most] = std::ranges::minmax(all, {}, &Candidate::predicted_ms);
    return least.predicted_ms + share * (most.predicted_ms - least.predicted_ms);
  }

  std::optional<Candidate> best_within(double limit_ms) const {
    for (const Candidate& candidate : all) {
      if (candidate.predicted_ms <= limit_ms) {
        return candidate;
      }
    }
    return std::nullopt;
  }

  AllTargetsResult search(const std::vector<double>& targets_ms,
                          const AllTargetsOptions& options = {}) const {
    return search_all_targets(space, latency, accuracy, targets_ms, options);
  }

  TinySpace space;
  SyntheticLatency latency;
  SyntheticAccuracy accuracy;
  std::vector<Candidate> all;  ///< best first
};

TEST(AllTargetsTest, FindsTheBestNetForEveryTarget) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const Problem problem(2, seed);
    std::vector<double> targets;
    for (const double share : {0.0, 0.02, 0.1, 0.3, 0.5, 0.8, 1.0}) {
      targets.push_back(problem.latency_at(share));
    }
    const auto result = problem.search(targets, {.population = 40, .generations = 20});
    for (const TargetResult& target : result.targets) {
      ASSERT_TRUE(target.feasible);
      EXPECT_EQ(target.candidates.front(), problem.best_within(target.target_ms))
          << "seed " << seed << ", target " << target.target_ms;
    }
  }
}

TEST(AllTargetsTest, FindsTheBestOfSixteenThousandWithATenthOfThem) {
  int optimal = 0;
  int targets_seen = 0;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const Problem problem(3, seed);
    ASSERT_EQ(problem.all.size(), 16000U);
    std::vector<double> targets;
    for (const double share : {0.05, 0.2, 0.4, 0.6, 0.9}) {
      targets.push_back(problem.latency_at(share));
    }
    const auto result = problem.search(targets, {.max_evaluations = 1600});
    EXPECT_LE(result.evaluations, 1600);
    for (const TargetResult& target : result.targets) {
      const Candidate best = *problem.best_within(target.target_ms);
      EXPECT_GE(target.candidates.front().predicted_accuracy, best.predicted_accuracy - 0.01);
      optimal += target.candidates.front() == best ? 1 : 0;
      ++targets_seen;
    }
  }
  EXPECT_GE(optimal, targets_seen * 9 / 10);
}

TEST(AllTargetsTest, ExhaustsASmallSpaceAndStops) {
  const Problem problem(1, 1);
  const double limit_ms = problem.latency_at(1.0);
  const auto result = problem.search({limit_ms}, {.candidates_per_target = 1000});
  EXPECT_EQ(result.evaluations, 40);
  EXPECT_LT(result.trace.size(), 20U);
  EXPECT_EQ(result.targets.front().candidates, problem.all);
  EXPECT_EQ(result.front, pareto_front(problem.all));
}

TEST(AllTargetsTest, CandidatesAreDistinctSortedAndWithinTheTarget) {
  const Problem problem(3, 4);
  const auto result =
      problem.search({problem.latency_at(0.1), problem.latency_at(0.6)},
                     {.population = 50, .generations = 10, .candidates_per_target = 7});
  for (const TargetResult& target : result.targets) {
    ASSERT_EQ(target.candidates.size(), 7U);
    EXPECT_TRUE(std::ranges::is_sorted(target.candidates, better));
    std::unordered_set<space::Arch> distinct;
    for (const Candidate& each : target.candidates) {
      EXPECT_LE(each.predicted_ms, target.target_ms);
      EXPECT_EQ(each.predicted_ms, problem.latency.predict_ms(each.arch));
      EXPECT_EQ(each.predicted_accuracy, problem.accuracy.predict(each.arch));
      EXPECT_EQ(each.arch, problem.space.canonical(each.arch));
      EXPECT_TRUE(distinct.insert(each.arch).second);
    }
  }
}

TEST(AllTargetsTest, WhatFitsALowerTargetIsNeverMissedByAHigherOne) {
  const Problem problem(3, 6);
  const auto result =
      problem.search({problem.latency_at(0.1), problem.latency_at(0.11), problem.latency_at(0.5)},
                     {.population = 30, .generations = 5});
  for (std::size_t t = 1; t < result.targets.size(); ++t) {
    EXPECT_GE(result.targets[t].candidates.front().predicted_accuracy,
              result.targets[t - 1].candidates.front().predicted_accuracy);
  }
  for (std::size_t g = 1; g < result.trace.size(); ++g) {
    EXPECT_EQ(result.trace[g].generation, static_cast<int>(g));
    EXPECT_GE(result.trace[g].evaluations, result.trace[g - 1].evaluations);
    for (std::size_t t = 0; t < 3; ++t) {
      EXPECT_GE(result.trace[g].best_accuracy[t], result.trace[g - 1].best_accuracy[t]);
    }
  }
  EXPECT_EQ(result.trace.size(), 6U);
  EXPECT_EQ(result.trace.back().best_accuracy[2],
            result.targets[2].candidates.front().predicted_accuracy);
}

TEST(AllTargetsTest, TheLastGenerationCounts) {
  const Problem problem(3, 2);
  const std::vector<double> targets{problem.latency_at(0.4)};
  // The trace of a shorter run is the beginning of a longer one's.
  const auto shorter = problem.search(targets, {.population = 20, .generations = 6});
  const auto longer = problem.search(targets, {.population = 20, .generations = 7});
  ASSERT_EQ(longer.trace.size(), 8U);
  EXPECT_EQ(std::vector(longer.trace.begin(), longer.trace.end() - 1), shorter.trace);
  EXPECT_EQ(longer.trace.back().best_accuracy.front(),
            longer.targets.front().candidates.front().predicted_accuracy);
  EXPECT_GT(longer.evaluations, shorter.evaluations);
}

TEST(AllTargetsTest, InfeasibleTargetsAreAResultAndTheOthersGoOn) {
  const Problem problem(2, 3);
  const double minimum_ms = problem.latency_at(0.0);
  const auto result = problem.search({minimum_ms * 0.5, minimum_ms, problem.latency_at(0.5)});
  ASSERT_EQ(result.targets.size(), 3U);
  EXPECT_FALSE(result.targets[0].feasible);
  EXPECT_TRUE(result.targets[0].candidates.empty());
  EXPECT_EQ(result.targets[0].minimum_ms, minimum_ms);
  EXPECT_TRUE(result.targets[1].feasible);
  EXPECT_EQ(result.targets[1].candidates.front().predicted_ms, minimum_ms);
  EXPECT_EQ(result.targets[2].candidates.front(), problem.best_within(problem.latency_at(0.5)));
  EXPECT_EQ(result.trace.back().best_accuracy.front(), 0.0);

  const auto none = problem.search({minimum_ms * 0.5});
  EXPECT_FALSE(none.targets.front().feasible);
  EXPECT_EQ(none.targets.front().minimum_ms, minimum_ms);
  EXPECT_EQ(none.evaluations, 0);
  EXPECT_TRUE(none.trace.empty());
}

TEST(AllTargetsTest, SameSeedSameTrace) {
  const Problem problem(3, 5);
  const std::vector<double> targets{problem.latency_at(0.2), problem.latency_at(0.7)};
  const AllTargetsOptions options{.population = 30, .generations = 8, .seed = 11};
  const auto a = problem.search(targets, options);
  const auto b = problem.search(targets, options);
  EXPECT_EQ(a.trace, b.trace);
  EXPECT_EQ(a.targets, b.targets);
  AllTargetsOptions other = options;
  other.seed = 12;
  EXPECT_NE(problem.search(targets, other).trace, a.trace);
}

TEST(AllTargetsTest, TargetsAreSortedAndDeduplicated) {
  const Problem problem(2, 5);
  const double low = problem.latency_at(0.2);
  const double high = problem.latency_at(0.7);
  const AllTargetsOptions options{.population = 20, .generations = 5};
  const auto tidy = problem.search({low, high}, options);
  const auto untidy = problem.search({high, low, high, low}, options);
  EXPECT_EQ(tidy.targets, untidy.targets);
  EXPECT_EQ(tidy.trace, untidy.trace);
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

TEST(AllTargetsTest, ServesTheDefaultSpace) {
  const auto space = space::make_space("mbv3_28");
  const latency::BlockTable table = area_table(*space);
  const SyntheticAccuracy accuracy(*space, 2);
  const ReachableRange range = reachable_range(*space, table);
  EXPECT_EQ(range.fastest.arch, space->smallest());
  EXPECT_EQ(range.slowest.arch, space->largest());
  std::vector<double> targets;
  for (const double share : {-0.1, 0.0, 0.01, 0.25, 0.5, 1.0}) {
    targets.push_back(range.fastest.predicted_ms +
                      share * (range.slowest.predicted_ms - range.fastest.predicted_ms));
  }
  const auto result =
      search_all_targets(*space, table, accuracy, targets, {.population = 100, .generations = 20});
  EXPECT_FALSE(result.targets.front().feasible);
  EXPECT_EQ(result.targets[1].candidates.front().arch, space->smallest());
  Rng rng(1);
  std::vector<double> best_random(targets.size(), 0.0);
  for (int i = 0; i < 2000; ++i) {  // as many nets as the search looks at
    const space::Arch arch = space->sample(rng);
    for (std::size_t t = 0; t < targets.size(); ++t) {
      if (table.predict_ms(arch) <= targets[t]) {
        best_random[t] = std::max(best_random[t], accuracy.predict(arch));
      }
    }
  }
  for (std::size_t t = 2; t < targets.size(); ++t) {
    EXPECT_GT(result.targets[t].candidates.front().predicted_accuracy, best_random[t]) << t;
  }
}

TEST(AllTargetsTest, ReportsProgress) {
  const Problem problem(3, 5);
  std::vector<Progress> seen;
  search_all_targets(problem.space, problem.latency, problem.accuracy,
                     std::vector<double>{problem.latency_at(0.5)},
                     {.population = 20, .generations = 4},
                     [&](const Progress& progress) { seen.push_back(progress); });
  ASSERT_EQ(seen.size(), 5U);
  EXPECT_EQ(seen.front().stage, "search");
  EXPECT_EQ(seen.back().done, 4);
  EXPECT_EQ(seen.back().total, 4);
  EXPECT_NE(seen.back().message.find("nets"), std::string::npos);
}

std::string refusal(const std::vector<double>& targets_ms, const AllTargetsOptions& options = {}) {
  static const Problem kProblem(1, 1);
  return message_of<std::invalid_argument>([&] { kProblem.search(targets_ms, options); });
}

TEST(AllTargetsTest, RefusesBadTargetsAndOptions) {
  const std::string begin = "[search::search_all_targets] ";
  EXPECT_EQ(refusal({}), begin + "targets_ms must not be empty");
  EXPECT_EQ(refusal({1, NAN}), begin + "targets_ms must be > 0, got nan");
  EXPECT_EQ(refusal({-3}), begin + "targets_ms must be > 0, got -3.000000");
  EXPECT_EQ(refusal({0}), begin + "targets_ms must be > 0, got 0.000000");
  EXPECT_EQ(refusal({INFINITY}), begin + "targets_ms must be > 0, got inf");
  EXPECT_EQ(refusal({1}, {.population = 0}), begin + "population must be >= 1, got 0");
  EXPECT_EQ(refusal({1}, {.generations = -1}), begin + "generations must be >= 0, got -1");
  EXPECT_EQ(refusal({1}, {.parents = 0}), begin + "parents must be >= 1, got 0");
  EXPECT_EQ(refusal({1}, {.breed = {.mutation_rate = 2}}),
            begin + "breed.mutation_rate must be in [0, 1], got 2.000000");
  EXPECT_EQ(refusal({1}, {.breed = {.mutated_share = NAN}}),
            begin + "breed.mutated_share must be in [0, 1], got nan");
  EXPECT_EQ(refusal({1}, {.breed = {.tries = 0}}), begin + "breed.tries must be >= 1, got 0");
  EXPECT_EQ(refusal({1}, {.candidates_per_target = 0}),
            begin + "candidates_per_target must be >= 1, got 0");
  EXPECT_EQ(refusal({1}, {.max_evaluations = -1}), begin + "max_evaluations must be >= 0, got -1");
}

TEST(AllTargetsTest, RefusesModelsOfAnotherSpace) {
  const Problem problem(1, 1);
  const TinySpace other(1, "other");
  const std::vector<double> targets{1};
  EXPECT_EQ(message_of<std::invalid_argument>([&] {
              search_all_targets(problem.space, SyntheticLatency(other, 1), problem.accuracy,
                                 targets);
            }),
            "[search::search_all_targets] the latency model must be of space tiny, got one of "
            "other");
  EXPECT_EQ(message_of<std::invalid_argument>([&] {
              search_all_targets(problem.space, problem.latency, SyntheticAccuracy(other, 1),
                                 targets);
            }),
            "[search::search_all_targets] the accuracy predictor must be of space tiny, got one "
            "of other");
}

}  // namespace
}  // namespace lathe::search
