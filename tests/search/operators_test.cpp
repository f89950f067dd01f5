#include "lathe/search/operators.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "search/synthetic_models.h"
#include "space_fixtures/message_of.h"
#include "space_fixtures/tiny_space.h"

namespace lathe::search {
namespace {

using lathe::testing::message_of;
using lathe::testing::SyntheticLatency;
using lathe::testing::TinySpace;

class OperatorsTest : public ::testing::Test {
 protected:
  OperatorsTest() {
    archs_ = lathe::testing::all_archs(space_);
    fastest_ = {.arch = archs_.front(), .predicted_ms = latency_.predict_ms(archs_.front())};
    for (const space::Arch& arch : archs_) {
      const double ms = latency_.predict_ms(arch);
      slowest_ms_ = std::max(slowest_ms_, ms);
      if (ms < fastest_.predicted_ms) {
        fastest_ = {.arch = arch, .predicted_ms = ms};
      }
    }
  }

  TinySpace space_;
  SyntheticLatency latency_{space_, 3};
  std::vector<space::Arch> archs_;
  TimedArch fastest_;
  double slowest_ms_ = 0;
};

TEST_F(OperatorsTest, RepairedNetsFitAndFittingNetsStay) {
  Rng rng(1);
  const double range_ms = slowest_ms_ - fastest_.predicted_ms;
  for (const double share : {0.0, 0.05, 0.5, 1.0}) {
    const double limit_ms = fastest_.predicted_ms + share * range_ms;
    for (const space::Arch& arch : archs_) {
      const TimedArch net = repair(space_, latency_, arch, limit_ms, fastest_, rng);
      ASSERT_LE(net.predicted_ms, limit_ms);
      ASSERT_EQ(net.predicted_ms, latency_.predict_ms(net.arch));
      ASSERT_EQ(net.arch, space_.canonical(net.arch));
      if (latency_.predict_ms(arch) <= limit_ms) {
        ASSERT_EQ(net.arch, arch);
      }
    }
  }
}

TEST_F(OperatorsTest, RepairKeepsDiversity) {
  Rng rng(1);
  const double limit_ms = fastest_.predicted_ms + 0.3 * (slowest_ms_ - fastest_.predicted_ms);
  std::unordered_set<space::Arch> found;
  for (int i = 0; i < 200; ++i) {
    found.insert(repair(space_, latency_, space_.largest(), limit_ms, fastest_, rng).arch);
  }
  EXPECT_GT(found.size(), 20U);
}

TEST_F(OperatorsTest, RepairRefusesALimitThatNothingFits) {
  Rng rng(1);
  EXPECT_EQ(message_of<std::invalid_argument>([&] {
              repair(space_, latency_, space_.largest(), 0.001, {fastest_.arch, 0.25}, rng);
            }),
            "[search::repair] the fastest net must be within the limit of 0.001000 ms, got "
            "0.250000");
}

const auto kKnowsNothing = [](const space::Arch&) { return false; };

TEST_F(OperatorsTest, MutationRedrawsGenesAtTheRate) {
  Rng rng(4);
  const space::Arch parent = space_.largest();
  const std::vector<const space::Arch*> parents{&parent};
  constexpr int kDraws = 20000;
  int changed = 0;
  for (int i = 0; i < kDraws; ++i) {
    const auto child = breed(space_, latency_, parents, slowest_ms_, fastest_, kKnowsNothing,
                             {.mutation_rate = 0.3, .mutated_share = 1.0}, rng);
    changed += child->arch.choices.back() != parent.choices.back() ? 1 : 0;
  }
  // Half of the redraws of a decision with two choices give another one.
  EXPECT_NEAR(static_cast<double>(changed) / kDraws, 0.15, 0.01);
}

TEST_F(OperatorsTest, CrossoverTakesGenesFromBothAlike) {
  Rng rng(4);
  const space::Arch a = space_.smallest();
  const space::Arch b = space_.largest();
  const std::vector<const space::Arch*> parents{&a, &b};
  constexpr int kDraws = 20000;
  int from_b = 0;
  int mixed = 0;
  for (int i = 0; i < kDraws; ++i) {
    const auto child = breed(space_, latency_, parents, slowest_ms_, fastest_, kKnowsNothing,
                             {.mutated_share = 0.0}, rng);
    from_b += child->arch.choices.back() == b.choices.back() ? 1 : 0;
    mixed += child->arch != a && child->arch != b ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(from_b) / kDraws, 0.5, 0.015);
  EXPECT_GT(mixed, kDraws / 3);  // half of the pairs are of two different parents
}

TEST_F(OperatorsTest, SharesOfMutantsAndCrossovers) {
  Rng rng(4);
  const space::Arch parent = space_.smallest();
  const std::vector<const space::Arch*> parents{&parent};
  constexpr int kDraws = 20000;
  int copies = 0;
  for (int i = 0; i < kDraws; ++i) {
    // A crossover of a net with itself is that net; a mutant at this rate hardly ever is.
    const auto child = breed(space_, latency_, parents, slowest_ms_, fastest_, kKnowsNothing,
                             {.mutation_rate = 1.0, .mutated_share = 0.8}, rng);
    copies += child->arch == parent ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(copies) / kDraws, 0.2 + 0.8 / 128, 0.02);
}

TEST_F(OperatorsTest, BreedsOnlyWhatIsNewUntilNothingIs) {
  Rng rng(5);
  std::unordered_set<space::Arch> seen;
  const auto known = [&](const space::Arch& arch) { return seen.contains(arch); };
  const space::Arch parent = fastest_.arch;
  const std::vector<const space::Arch*> parents{&parent};
  for (int i = 0; i < 20000; ++i) {
    const auto child = breed(space_, latency_, parents, slowest_ms_, fastest_, known, {}, rng);
    if (child) {
      ASSERT_TRUE(seen.insert(child->arch).second);
    }
  }
  EXPECT_EQ(seen.size(), archs_.size());
  EXPECT_FALSE(breed(space_, latency_, parents, slowest_ms_, fastest_, known, {}, rng));
}

TEST_F(OperatorsTest, BreedRefusesNoParents) {
  Rng rng(5);
  EXPECT_EQ(message_of<std::invalid_argument>([&] {
              breed(space_, latency_, {}, slowest_ms_, fastest_, kKnowsNothing, {}, rng);
            }),
            "[search::breed] parents must not be empty");
}

}  // namespace
}  // namespace lathe::search
