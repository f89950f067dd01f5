#include "lathe/search/published/evolution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "core/temporary_folder.h"
#include "search/synthetic_models.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::search {
namespace {

using lathe::testing::AdditiveLatency;
using lathe::testing::SyntheticAccuracy;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

constexpr int kDraws = 20000;

TEST(PublishedMutantTest, RedrawsGenesAtTheRate) {
  const TinySpace space;  // genes: {0,1} {2,3} {4} {5,6} {7,8} {9} {10}, two choices each
  const space::Arch parent = space.largest();
  Rng rng(1);
  std::vector<int> changed(parent.choices.size());
  int kernel_of_first = 0;
  int both_of_first = 0;
  for (int i = 0; i < kDraws; ++i) {
    const space::Arch child = published_mutant(space, parent, 0.1, rng);
    space.check(child);
    for (std::size_t d = 0; d < changed.size(); ++d) {
      changed[d] += child.choices[d] != parent.choices[d] ? 1 : 0;
    }
    kernel_of_first += child.choices[0] != 1 ? 1 : 0;
    both_of_first += child.choices[0] != 1 && child.choices[1] != 1 ? 1 : 0;
  }
  for (const int count : changed) {
    EXPECT_NEAR(static_cast<double>(count) / kDraws, 0.05, 0.006);  // half of the redraws
  }
  // Kernel and expansion are redrawn together: where one changed, the other did half of the time.
  EXPECT_NEAR(static_cast<double>(both_of_first) / kernel_of_first, 0.5, 0.06);
}

TEST(PublishedMutantTest, RedrawsDeadGenesToo) {
  const TinySpace space;
  Rng rng(2);
  int revived_large = 0;
  for (int i = 0; i < kDraws; ++i) {
    const space::Arch child = published_mutant(space, space.smallest(), 1.0, rng);
    revived_large += child.choices[2];  // kernel of a second block, dead or not
  }
  EXPECT_NEAR(static_cast<double>(revived_large) / kDraws, 0.5, 0.015);
}

TEST(PublishedMutantTest, AtRateZeroIsACopy) {
  const TinySpace space;
  Rng rng(3);
  EXPECT_EQ(published_mutant(space, space.largest(), 0.0, rng), space.largest());
}

TEST(PublishedCrossoverTest, TakesEveryDecisionFromEitherParentAlike) {
  const TinySpace space;
  const space::Arch a = space.smallest();
  const space::Arch b = space.largest();
  Rng rng(4);
  std::vector<int> from_b(a.choices.size());
  int first_block_mixed = 0;
  for (int i = 0; i < kDraws; ++i) {
    const space::Arch child = published_crossover(a, b, rng);
    space.check(child);
    for (std::size_t d = 0; d < from_b.size(); ++d) {
      from_b[d] += child.choices[d];
    }
    first_block_mixed += child.choices[0] != child.choices[1] ? 1 : 0;
  }
  for (const int count : from_b) {
    EXPECT_NEAR(static_cast<double>(count) / kDraws, 0.5, 0.015);
  }
  EXPECT_NEAR(static_cast<double>(first_block_mixed) / kDraws, 0.5, 0.015);
}

class EvolutionTest : public ::testing::Test {
 protected:
  Evolution evolve(double limit_ms, const EvolutionOptions& options,
                   const StoppingRule& rule = {}) {
    return {problem_, limit_ms, options, 10, rule, evaluations_, rng_};
  }
  double accuracy_of(const Member& member) const {
    return evaluations_.all()[member.evaluation].predicted_accuracy;
  }

  TinySpace space_;
  AdditiveLatency latency_{space_, 3};
  SyntheticAccuracy accuracy_{space_, 3};
  Problem problem_{space_, latency_, accuracy_};
  Evaluations evaluations_{problem_};
  Rng rng_{5};
  double limit_ms_ = problem_.fastest()->predicted_ms * 1.2;
};

TEST_F(EvolutionTest, KeepsTheBestAsParentsAndAddsAPopulation) {
  Evolution evolution = evolve(limit_ms_, {.population = 40});
  evolution.add_random(40);
  ASSERT_EQ(evolution.population().size(), 40U);
  std::vector<double> before;
  for (const Member& member : evolution.population()) {
    before.push_back(accuracy_of(member));
  }
  std::ranges::sort(before, std::ranges::greater{});
  evolution.next_generation();
  ASSERT_EQ(evolution.population().size(), 50U);  // a quarter of 40, and 40
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(accuracy_of(evolution.population()[i]), before[i]);
  }
}

TEST_F(EvolutionTest, MembersFitAndAreWhatWasEvaluated) {
  Evolution evolution = evolve(limit_ms_, {.population = 40});
  evolution.add_random(40);
  for (int g = 0; g < 20; ++g) {
    evolution.next_generation();
    for (const Member& member : evolution.population()) {
      const Candidate& net = evaluations_.all()[member.evaluation];
      ASSERT_TRUE(problem_.fits(member.genes, limit_ms_));
      ASSERT_EQ(space_.canonical(member.genes), net.arch);
      ASSERT_EQ(net.predicted_ms, latency_.predict_ms(net.arch));
    }
  }
}

TEST_F(EvolutionTest, TheFirstChildrenAreMutantsTheOthersCrossovers) {
  // A crossover of a net with itself is that net; a mutant at this rate hardly ever is.
  Evolution evolution = evolve(
      1e9, {.population = 100, .mutation_prob = 1.0, .parent_ratio = 0.01, .mutation_ratio = 0.3});
  evolution.add({space_.largest()});
  evolution.next_generation();
  ASSERT_EQ(evolution.population().size(), 101U);
  const auto copies = std::ranges::count(evolution.population(), space_.largest(), &Member::genes);
  EXPECT_GE(copies, 71);
  EXPECT_LE(copies, 73);
}

TEST_F(EvolutionTest, TheLastGenerationCounts) {
  Evolution evolution = evolve(limit_ms_, {.population = 40});
  evolution.add_random(1);
  double best = 0;
  for (int g = 0; g < 5; ++g) {
    evolution.next_generation();
    for (const Candidate& net : evaluations_.all()) {
      best = std::max(best, net.predicted_accuracy);
    }
    EXPECT_EQ(accuracy_of(evolution.best()), best);
    EXPECT_EQ(evolution.candidates().front().predicted_accuracy, best);
  }
}

TEST_F(EvolutionTest, RemembersTheBestDistinctNets) {
  Evolution evolution = evolve(limit_ms_, {.population = 100});
  evolution.add_random(100);
  evolution.next_generation();
  std::vector<Candidate> ranked = evaluations_.all();
  std::ranges::sort(ranked, better);
  ranked.resize(10);
  EXPECT_EQ(evolution.candidates(), ranked);
}

TEST_F(EvolutionTest, EndsEvenWhereOnlyTheFastestNetFits) {
  Evolution evolution = evolve(problem_.fastest()->predicted_ms, {.population = 4});
  evolution.add_random(4);
  evolution.next_generation();
  EXPECT_EQ(evolution.candidates().size(), 1U);
  EXPECT_EQ(evolution.candidates().front().arch, problem_.fastest()->arch);
}

TEST_F(EvolutionTest, MayStopWithinAGenerationButAlwaysHasAnAnswer) {
  Evolution evolution = evolve(limit_ms_, {.population = 40}, StoppingRule(25, 0.0));
  evolution.add_random(20);
  while (!evolution.stopped()) {
    evolution.next_generation();
  }
  EXPECT_EQ(evaluations_.count(), 25);
  Evolution late = evolve(limit_ms_, {.population = 40}, StoppingRule(25, 0.0));
  late.add_random(20);
  EXPECT_FALSE(late.candidates().empty());
}

TEST_F(EvolutionTest, RefusesWhatCannotStart) {
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { evolve(0.01, {}); }),
            "[search::Evolution] no allowed net is within limit_ms, got 0.010000");
  Evolution empty = evolve(limit_ms_, {});
  EXPECT_EQ(text_thrown<std::invalid_argument>([&] { empty.next_generation(); }),
            "[search::Evolution::next_generation] the population is empty");
}

}  // namespace
}  // namespace lathe::search
