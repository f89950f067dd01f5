#include "lathe/search/published/pruning.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
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

/// Every larger choice costs the same: what is pruned when can be counted by hand.
class CountedLatency : public latency::LatencyModel {
 public:
  explicit CountedLatency(const space::Space& space) : space_(space) {
    std::vector<std::vector<double>> weights;
    for (const space::Decision& decision : space.decisions()) {
      weights.push_back({});
      for (int c = 0; c < decision.num_choices(); ++c) {
        weights.back().push_back(c);
      }
    }
    costs_.emplace(space, weights, 1.0);
  }
  using LatencyModel::predict_ms;
  double predict_ms(const space::Arch& arch) const override { return costs_->total(arch); }
  const space::SlotCosts* slot_costs() const override { return &*costs_; }
  const std::string& space_name() const override { return space_.name(); }

 private:
  const space::Space& space_;
  std::optional<space::SlotCosts> costs_;
};

using Prune = space::Arch (*)(const Problem&, space::Arch, double, Rng&);

class PruningTest : public ::testing::TestWithParam<Prune> {
 protected:
  TinySpace space_;  // per stage ks, e, ks, e, d; then r; all with two choices
  AdditiveLatency latency_{space_, 3};
  CountedLatency counted_{space_};
  SyntheticAccuracy accuracy_{space_, 3};
};

INSTANTIATE_TEST_SUITE_P(Both, PruningTest, ::testing::Values(pruned_randomly, pruned_as_coded));

TEST_P(PruningTest, FitsAndNeverLengthens) {
  const Problem problem(space_, latency_, accuracy_);
  Rng rng(1);
  for (const space::Arch& arch : lathe::testing::all_archs(space_)) {
    for (const double extra_ms : {0.0, 0.05, 0.2}) {
      const double limit_ms = problem.fastest()->predicted_ms + extra_ms;
      const space::Arch pruned = GetParam()(problem, arch, limit_ms, rng);
      ASSERT_TRUE(problem.fits(pruned, limit_ms));
      ASSERT_LE(problem.latency_ms(pruned), problem.latency_ms(arch) + 1e-12);
    }
  }
}

TEST_P(PruningTest, OnlyShrinks) {
  const Problem problem(space_, counted_, accuracy_);
  Rng rng(2);
  for (int i = 0; i < 500; ++i) {
    const space::Arch arch = space_.sample(rng);
    const space::Arch pruned = GetParam()(problem, arch, 4.0, rng);
    for (std::size_t d = 0; d < arch.choices.size(); ++d) {
      ASSERT_LE(pruned.choices[d], arch.choices[d]);
    }
  }
}

TEST_P(PruningTest, KeepsConstraintsToo) {
  const Problem problem(space_, counted_, accuracy_, {.max_params = 700.0});
  ASSERT_TRUE(problem.fastest());
  ASSERT_FALSE(problem.allowed(space_.largest()));
  Rng rng(3);
  EXPECT_TRUE(problem.allowed(GetParam()(problem, space_.largest(), 100.0, rng)));
}

TEST_P(PruningTest, RefusesWhatCannotFit) {
  const Problem problem(space_, counted_, accuracy_);
  Rng rng(4);
  EXPECT_EQ(
      text_thrown<std::invalid_argument>([&] { GetParam()(problem, space_.largest(), 0.5, rng); }),
      "[search::Problem::repaired] limit_ms must be at least 1.000000, got 0.500000");
}

TEST_F(PruningTest, AtRandomTakesAnyDecisionThatIsAlive) {
  const Problem problem(space_, counted_, accuracy_);
  Rng rng(5);
  const space::Arch largest = space_.largest();  // 11 decisions at 1: 12 ms
  std::set<std::size_t> shrunk;
  for (int i = 0; i < 500; ++i) {
    const space::Arch pruned = pruned_randomly(problem, largest, 11.0, rng);
    for (std::size_t d = 0; d < largest.choices.size(); ++d) {
      if (pruned.choices[d] != largest.choices[d]) {
        shrunk.insert(d);
      }
    }
  }
  EXPECT_EQ(shrunk.size(), largest.choices.size());
  EXPECT_EQ(pruned_randomly(problem, largest, 12.0, rng), largest);  // fits already
}

TEST_F(PruningTest, AsCodedWalksEachGroupFromItsFront) {
  const Problem problem(space_, counted_, accuracy_);
  Rng rng(6);
  const space::Arch largest = space_.largest();
  // Positions of the kernels, the expansions and the depths in the order of the walk.
  const std::vector<std::vector<std::size_t>> groups{{0, 2, 5, 7}, {1, 3, 6, 8}, {4, 9}};
  for (int i = 0; i < 500; ++i) {
    const space::Arch pruned = pruned_as_coded(problem, largest, 8.0, rng);
    for (const std::vector<std::size_t>& group : groups) {
      for (std::size_t at = 1; at < group.size(); ++at) {
        ASSERT_LE(pruned.choices[group[at - 1]], pruned.choices[group[at]]);
      }
    }
    ASSERT_EQ(pruned.choices.back(), 1);  // never the resolution
  }
}

TEST_F(PruningTest, AsCodedTakesAStepEvenFromANetThatFits) {
  const Problem problem(space_, counted_, accuracy_);
  Rng rng(7);
  const space::Arch largest = space_.largest();
  std::set<std::size_t> first;
  for (int i = 0; i < 200; ++i) {
    const space::Arch pruned = pruned_as_coded(problem, largest, 100.0, rng);
    std::size_t changed = 0;
    for (std::size_t d = 0; d < largest.choices.size(); ++d) {
      if (pruned.choices[d] != largest.choices[d]) {
        ++changed;
        first.insert(d);
      }
    }
    ASSERT_EQ(changed, 1U);
  }
  EXPECT_EQ(first, (std::set<std::size_t>{0, 1, 4}));  // the front of each group
}

}  // namespace
}  // namespace lathe::search
