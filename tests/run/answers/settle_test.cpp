// Who answers which target, and who is trained for it, against all choices that there are.
#include "lathe/run/answers/settle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <numeric>
#include <set>

#include "lathe/core/random.h"
#include "run/stage_fixtures.h"

namespace lathe::run {
namespace {

using lathe::testing::stage_space;

/// Different nets of the space.
std::vector<space::Arch> some_archs(std::size_t count) {
  Rng rng(7);
  const auto space = stage_space();
  std::vector<space::Arch> archs;
  while (archs.size() < count) {
    const space::Arch arch = space->sample(rng);
    if (std::find(archs.begin(), archs.end(), arch) == archs.end()) archs.push_back(arch);
  }
  return archs;
}

/// A target's winner that took `ms` in each of forty sessions.
Winner taking(const space::Arch& arch, double ms, double target_ms) {
  return {{arch, ms, 0.5},
          ms <= target_ms ? measure::Verdict::kWithin : measure::Verdict::kAbove,
          0.001,
          std::vector<double>(40, ms),
          {}};
}

using Indices = std::vector<std::size_t>;

TEST(ThatMayAnswer, AreThoseThatHoldIt) {
  const std::vector<space::Arch> archs = some_archs(4);
  const std::vector<double> targets_ms{1, 2, 3, 4};
  const std::vector<Winner> winners{taking(archs[0], 2.5, 1), taking(archs[1], 2, 2),
                                    taking(archs[2], 3.5, 3), taking(archs[3], 4, 4)};
  EXPECT_EQ(that_may_answer(0, winners, targets_ms), Indices{0}) << "it doesn't, but none does";
  EXPECT_EQ(that_may_answer(1, winners, targets_ms), Indices{1});
  EXPECT_EQ(that_may_answer(2, winners, targets_ms), (Indices{0, 1})) << "its own is above it";
  EXPECT_EQ(that_may_answer(3, winners, targets_ms), (Indices{0, 1, 2, 3}));
}

TEST(WorthTrainingAlone, IsEvenWhereEachNetHoldsItsTarget) {
  const std::vector<space::Arch> archs = some_archs(5);
  const std::vector<double> targets_ms{1, 2, 3, 4, 5};
  std::vector<Winner> winners;
  for (std::size_t i = 0; i < archs.size(); ++i) {
    winners.push_back(taking(archs[i], targets_ms[i], targets_ms[i]));
  }
  const auto chosen = [&](std::size_t at_most) {
    Indices which;
    for (const space::Arch& arch : worth_training_alone(winners, targets_ms, at_most)) {
      which.push_back(
          static_cast<std::size_t>(std::find(archs.begin(), archs.end(), arch) - archs.begin()));
    }
    return which;
  };
  EXPECT_EQ(chosen(1), Indices{0});
  EXPECT_EQ(chosen(2), (Indices{0, 4}));
  EXPECT_EQ(chosen(3), (Indices{0, 2, 4}));
  EXPECT_EQ(chosen(4), (Indices{0, 1, 2, 4}));
  EXPECT_EQ(chosen(5), (Indices{0, 1, 2, 3, 4}));
  EXPECT_EQ(chosen(0), (Indices{0, 1, 2, 3, 4})) << "0 is all";
  EXPECT_EQ(chosen(9), (Indices{0, 1, 2, 3, 4}));
  winners[1] = winners[0];  // one net for two targets
  EXPECT_EQ(chosen(0), (Indices{0, 2, 3, 4}));
}

TEST(WorthTrainingAlone, LeavesNoTargetToAnUntrainedNet) {
  // On a machine in bursts: the first net is above its target and above the next two.
  const std::vector<space::Arch> archs = some_archs(5);
  const std::vector<double> targets_ms{0.909, 1.214, 1.519, 1.823, 2.128};
  const std::vector<double> takes_ms{1.6, 1.2, 1.3, 1.7, 2.1};
  std::vector<Winner> winners;
  for (std::size_t i = 0; i < archs.size(); ++i) {
    winners.push_back(taking(archs[i], takes_ms[i], targets_ms[i]));
  }
  const auto two = worth_training_alone(winners, targets_ms, 2);
  EXPECT_EQ(two, (std::vector<space::Arch>{archs[0], archs[1]}));
  EXPECT_EQ(worth_training_alone(winners, targets_ms, 1), std::vector<space::Arch>{archs[1]});
  EXPECT_EQ(worth_training_alone(winners, targets_ms, 3),
            (std::vector<space::Arch>{archs[0], archs[1], archs[4]}));
}

/// Targets that one of the nets in `subset` may answer.
int answered(const std::set<space::Arch>& subset, const std::vector<Winner>& winners,
             const std::vector<double>& targets_ms) {
  int count = 0;
  for (std::size_t i = 0; i < winners.size(); ++i) {
    const Indices may = that_may_answer(i, winners, targets_ms);
    count += static_cast<int>(std::any_of(may.begin(), may.end(), [&](std::size_t of) {
      return subset.contains(winners[of].candidate.arch);
    }));
  }
  return count;
}

TEST(WorthTrainingAlone, NoOtherChoiceAnswersMoreTargets) {
  const std::vector<space::Arch> archs = some_archs(7);
  Rng rng(11);
  int partly = 0;
  for (int round = 0; round < 300; ++round) {
    const std::size_t count = 2 + rng.below(6);
    std::vector<double> targets_ms(count);
    std::iota(targets_ms.begin(), targets_ms.end(), 1.0);
    std::vector<Winner> winners;
    for (std::size_t i = 0; i < count; ++i) {
      const double takes_ms = targets_ms[i] + rng.below(static_cast<std::uint32_t>(count));
      winners.push_back(taking(archs[rng.below(7)], takes_ms, targets_ms[i]));
    }
    for (std::size_t at_most = 1; at_most <= count; ++at_most) {
      int best = 0;
      for (unsigned subset = 1; subset < 1U << archs.size(); ++subset) {
        if (std::popcount(subset) > static_cast<int>(at_most)) continue;
        std::set<space::Arch> nets;
        for (std::size_t a = 0; a < archs.size(); ++a) {
          if ((subset >> a & 1U) != 0) nets.insert(archs[a]);
        }
        best = std::max(best, answered(nets, winners, targets_ms));
      }
      const auto chosen = worth_training_alone(winners, targets_ms, at_most);
      EXPECT_LE(chosen.size(), at_most);
      EXPECT_EQ(answered({chosen.begin(), chosen.end()}, winners, targets_ms), best)
          << "round " << round << ", at most " << at_most;
      partly += static_cast<int>(best < static_cast<int>(count));
    }
  }
  EXPECT_GT(partly, 100) << "else there was nothing to choose";
}

}  // namespace
}  // namespace lathe::run
