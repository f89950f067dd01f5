#include "lathe/search/all_targets/shared_evolution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <unordered_set>

#include "core/temporary_folder.h"
#include "lathe/graph/counts.h"
#include "search/enumerated.h"

namespace lathe::search {
namespace {

using lathe::testing::Enumerated;
using lathe::testing::SyntheticLatency;
using lathe::testing::text_thrown;

using World = Enumerated<SyntheticLatency>;

void run(SharedEvolution& search, std::int64_t evaluations) {
  while (true) {
    const auto left = evaluations - static_cast<std::int64_t>(search.archive().all().size());
    if (left <= 0 || !search.step(left)) {
      return;
    }
  }
}

TEST(SharedEvolutionTest, FindsTheBestNetForEveryTarget) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const World world(2, seed);
    const Problem problem(world.space, world.latency, world.accuracy);
    const std::vector<double> targets = world.targets();
    SharedEvolution search(problem, targets, {.population = 40}, Rng(seed));
    run(search, 800);
    for (std::size_t t = 0; t < targets.size(); ++t) {
      EXPECT_EQ(search.archive()[search.ranking(t).front()], world.best_within(targets[t], problem))
          << "seed " << seed << ", target " << targets[t];
    }
  }
}

TEST(SharedEvolutionTest, FindsMostOfTheBestOfSixteenThousandWithATenthOfThem) {
  int optimal = 0;
  int seen = 0;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const World world(3, seed);
    ASSERT_EQ(world.all.size(), 16000U);
    const Problem problem(world.space, world.latency, world.accuracy);
    const std::vector<double> targets = world.targets();
    SharedEvolution search(problem, targets, {}, Rng(seed));
    run(search, 1600);
    EXPECT_EQ(search.archive().all().size(), 1600U);
    for (std::size_t t = 0; t < targets.size(); ++t) {
      const Candidate best = *world.best_within(targets[t], problem);
      const Candidate& found = search.archive()[search.ranking(t).front()];
      EXPECT_GE(found.predicted_accuracy, best.predicted_accuracy - 0.01);
      optimal += found == best ? 1 : 0;
      ++seen;
    }
  }
  EXPECT_GE(optimal, seen * 9 / 10);
}

TEST(SharedEvolutionTest, NetsAreWhatTheModelsSayAndNoneIsPredictedTwice) {
  const World world(3, 4);
  const Problem problem(world.space, world.latency, world.accuracy);
  SharedEvolution search(problem, world.targets(), {.population = 50}, Rng(4));
  run(search, 500);
  std::unordered_set<space::Arch> distinct;
  for (const Candidate& net : search.archive().all()) {
    EXPECT_EQ(net.predicted_ms, world.latency.predict_ms(net.arch));
    EXPECT_EQ(net.predicted_accuracy, world.accuracy.predict(net.arch));
    EXPECT_EQ(net.arch, world.space.canonical(net.arch));
    EXPECT_TRUE(distinct.insert(net.arch).second);
  }
}

TEST(SharedEvolutionTest, ExhaustsASmallSpaceAndStops) {
  const World world(1, 1);
  const Problem problem(world.space, world.latency, world.accuracy);
  const double slowest_ms = world.targets().back();
  SharedEvolution search(problem, {slowest_ms}, {.ranked = 1000}, Rng(1));
  run(search, 1000000);
  std::vector<Candidate> ranked;
  for (const std::size_t index : search.ranking(0)) {
    ranked.push_back(search.archive()[index]);
  }
  EXPECT_EQ(ranked, world.all);
}

TEST(SharedEvolutionTest, KeepsTheOtherConstraints) {
  const World world(2, 7);
  const double largest = static_cast<double>(graph::macs(world.space.graph(world.space.largest())));
  const Problem problem(world.space, world.latency, world.accuracy, {.max_macs = 0.5 * largest});
  std::vector<double> targets = world.targets();
  std::erase_if(targets, [&](double t) { return t < problem.fastest()->predicted_ms; });
  SharedEvolution search(problem, targets, {.population = 40}, Rng(7));
  run(search, 700);
  for (std::size_t t = 0; t < targets.size(); ++t) {
    EXPECT_EQ(search.archive()[search.ranking(t).front()], world.best_within(targets[t], problem));
  }
}

TEST(SharedEvolutionTest, SameSeedSameArchive) {
  const World world(3, 5);
  const Problem problem(world.space, world.latency, world.accuracy);
  const auto nets = [&](std::uint64_t seed, std::int64_t evaluations) {
    SharedEvolution search(problem, world.targets(), {.population = 30}, Rng(seed));
    run(search, evaluations);
    return search.archive().all();
  };
  const std::vector<Candidate> once = nets(11, 300);
  EXPECT_EQ(nets(11, 300), once);
  EXPECT_NE(nets(12, 300), once);
  // A shorter run is the beginning of a longer one.
  const std::vector<Candidate> shorter = nets(11, 210);
  EXPECT_TRUE(std::equal(shorter.begin(), shorter.end(), once.begin()));
}

TEST(SharedEvolutionTest, SaysWhereNetsComeFrom) {
  const World world(3, 5);
  const Problem problem(world.space, world.latency, world.accuracy);
  SharedEvolution search(problem, world.targets(), {.population = 30}, Rng(1));
  run(search, 100);
  EXPECT_EQ(search.provenance(0), "in generation 0, prediction 1");
  EXPECT_EQ(search.provenance(99).substr(0, 14), "in generation ");
  EXPECT_NE(search.provenance(99).substr(0, 15), "in generation 0");
}

TEST(SharedEvolutionTest, RefusesBadTargetsAndOptions) {
  const World world(1, 1);
  const Problem problem(world.space, world.latency, world.accuracy);
  const auto refusal = [&](std::vector<double> targets,
                           const SharedEvolutionOptions& options = {}) {
    return text_thrown<std::invalid_argument>(
        [&] { SharedEvolution(problem, std::move(targets), options, Rng(1)); });
  };
  const std::string begin = "[search::SharedEvolution] ";
  EXPECT_EQ(refusal({}), begin + "targets_ms must not be empty");
  EXPECT_EQ(refusal({0.001}), begin + "targets_ms must not be below the fastest net, got 0.001000");
  EXPECT_EQ(refusal({9}, {.population = 0}), begin + "population must be >= 1, got 0");
  EXPECT_EQ(refusal({9}, {.parents = 0}), begin + "parents must be >= 1, got 0");
  EXPECT_EQ(refusal({9}, {.ranked = 3}), begin + "ranked must be >= 25, got 3");
  EXPECT_EQ(refusal({9}, {.breed = {.mutation_rate = 2}}),
            begin + "breed.mutation_rate must be in [0, 1], got 2.000000");
  EXPECT_EQ(refusal({9}, {.breed = {.mutated_share = NAN}}),
            begin + "breed.mutated_share must be in [0, 1], got nan");
  EXPECT_EQ(refusal({9}, {.breed = {.tries = 0}}), begin + "breed.tries must be >= 1, got 0");
}

}  // namespace
}  // namespace lathe::search
