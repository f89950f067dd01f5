#include "lathe/search/all_targets/breeding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/graph/counts.h"
#include "search/synthetic_models.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::search {
namespace {

using lathe::testing::SyntheticAccuracy;
using lathe::testing::SyntheticLatency;
using lathe::testing::text_thrown;
using lathe::testing::TinySpace;

class BreedingTest : public ::testing::Test {
 protected:
  BreedingTest() : archs_(lathe::testing::all_archs(space_)) {
    for (const space::Arch& arch : archs_) {
      slowest_ms_ = std::max(slowest_ms_, latency_.predict_ms(arch));
    }
  }

  TinySpace space_;
  SyntheticLatency latency_{space_, 3};
  SyntheticAccuracy accuracy_{space_, 3};
  Problem problem_{space_, latency_, accuracy_};
  std::vector<space::Arch> archs_;
  double slowest_ms_ = 0;
};

const auto kKnowsNothing = [](const space::Arch&) { return false; };

TEST_F(BreedingTest, MutationRedrawsGenesAtTheRate) {
  Rng rng(4);
  const space::Arch parent = space_.largest();
  const std::vector<const space::Arch*> parents{&parent};
  constexpr int kDraws = 20000;
  int changed = 0;
  for (int i = 0; i < kDraws; ++i) {
    const auto child = breed(problem_, parents, slowest_ms_, kKnowsNothing,
                             {.mutation_rate = 0.3, .mutated_share = 1.0}, rng);
    changed += child->arch.choices.back() != parent.choices.back() ? 1 : 0;
  }
  // Half of the redraws of a decision with two choices give another one.
  EXPECT_NEAR(static_cast<double>(changed) / kDraws, 0.15, 0.01);
}

TEST_F(BreedingTest, CrossoverTakesGenesFromBothAlike) {
  Rng rng(4);
  const space::Arch a = space_.smallest();
  const space::Arch b = space_.largest();
  const std::vector<const space::Arch*> parents{&a, &b};
  constexpr int kDraws = 20000;
  int from_b = 0;
  int mixed = 0;
  for (int i = 0; i < kDraws; ++i) {
    const auto child =
        breed(problem_, parents, slowest_ms_, kKnowsNothing, {.mutated_share = 0.0}, rng);
    from_b += child->arch.choices.back() == b.choices.back() ? 1 : 0;
    mixed += child->arch != a && child->arch != b ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(from_b) / kDraws, 0.5, 0.015);
  EXPECT_GT(mixed, kDraws / 3);  // half of the pairs are of two different parents
}

TEST_F(BreedingTest, SharesOfMutantsAndCrossovers) {
  Rng rng(4);
  const space::Arch parent = space_.smallest();
  const std::vector<const space::Arch*> parents{&parent};
  constexpr int kDraws = 20000;
  int copies = 0;
  for (int i = 0; i < kDraws; ++i) {
    // A crossover of a net with itself is that net; a mutant at this rate hardly ever is.
    const auto child = breed(problem_, parents, slowest_ms_, kKnowsNothing,
                             {.mutation_rate = 1.0, .mutated_share = 0.8}, rng);
    copies += child->arch == parent ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(copies) / kDraws, 0.2 + 0.8 / 128, 0.02);
}

TEST_F(BreedingTest, BreedsOnlyWhatIsNewUntilNothingIs) {
  Rng rng(5);
  std::unordered_set<space::Arch> seen;
  const auto known = [&](const space::Arch& arch) { return seen.contains(arch); };
  const space::Arch parent = problem_.fastest()->arch;
  const std::vector<const space::Arch*> parents{&parent};
  for (int i = 0; i < 20000; ++i) {
    const auto child = breed(problem_, parents, slowest_ms_, known, {}, rng);
    if (child) {
      ASSERT_TRUE(seen.insert(child->arch).second);
    }
  }
  EXPECT_EQ(seen.size(), archs_.size());
  EXPECT_FALSE(breed(problem_, parents, slowest_ms_, known, {}, rng));
}

TEST_F(BreedingTest, ChildrenFitTheLimitAndTheConstraints) {
  const double macs = static_cast<double>(graph::macs(space_.graph(space_.largest())));
  const Problem constrained(space_, latency_, accuracy_, {.max_macs = 0.4 * macs});
  Rng rng(6);
  const space::Arch a = constrained.fastest()->arch;
  const space::Arch b = space_.largest();
  const std::vector<const space::Arch*> parents{&a, &b};
  const double limit_ms = 0.5 * (constrained.fastest()->predicted_ms + slowest_ms_);
  for (int i = 0; i < 500; ++i) {
    const auto child = breed(constrained, parents, limit_ms, kKnowsNothing, {}, rng);
    ASSERT_TRUE(child);
    EXPECT_TRUE(constrained.fits(child->arch, limit_ms));
    EXPECT_EQ(child->predicted_ms, latency_.predict_ms(child->arch));
  }
}

TEST_F(BreedingTest, BreedRefusesNoParents) {
  Rng rng(5);
  EXPECT_EQ(text_thrown<std::invalid_argument>(
                [&] { breed(problem_, {}, slowest_ms_, kKnowsNothing, {}, rng); }),
            "[search::breed] parents must not be empty");
}

}  // namespace
}  // namespace lathe::search
