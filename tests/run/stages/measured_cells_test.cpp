#include "lathe/run/stages/measured_cells.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/temporary_folder.h"
#include "lathe/measure/random_net.h"
#include "lathe/search/cells/derive.h"
#include "lathe/space/families/cell_family.h"
#include "measure/counting_runner.h"
#include "search/synthetic_models.h"

namespace lathe::run {
namespace {

using lathe::testing::CountingRunner;
using lathe::testing::TemporaryFolder;

class MeasuredCells : public ::testing::Test {
 protected:
  static constexpr int kMaxSkips = 2;

  search::CellLogits logits(std::uint64_t seed) const {
    search::CellLogits all = search::CellLogits::zero(2, false);
    Rng rng(seed);
    for (double& value : all.ops) value = rng.normal();
    return all;
  }
  search::PassedCells passed(std::int64_t step, std::uint64_t seed) const {
    auto cells = search::derive_cells(logits(seed), kMaxSkips);
    const double ms = search::latency_of(cells, latency_);
    return {step, ms, std::move(cells)};
  }
  space::Arch arch_of(const search::PassedCells& one) const {
    return space_->canonical(space::arch_of(*space_, one.cells));
  }

  std::unique_ptr<space::Space> space_ =
      space::make_cell_space({.name = "tiny",
                              .task = {.in_channels = 1, .num_classes = 4, .input_size = 8},
                              .init_channels = 2,
                              .cells = 3});
  lathe::testing::AdditiveLatency model_{*space_, 3};
  search::CellLatency latency_{*space_, model_};
};

TEST_F(MeasuredCells, AreThoseDerivedAroundTheTargetAndThosePassed) {
  const double target = search::derived_latency(logits(1), latency_, kMaxSkips);
  search::NearTarget near{.target = target};
  for (std::int64_t step = 1; step <= 400; ++step) {
    const search::PassedCells one = passed(step, static_cast<std::uint64_t>(step));
    if (std::abs(one.latency / target - 1) <= search::NearTarget::kShare) {
      search::pass(near.passed, one);
    }
  }
  ASSERT_GT(near.passed.size(), 70U) << "more than are asked for";
  const auto cells = cells_near(*space_, logits(1), latency_, near, target, kMaxSkips);
  std::set<space::Arch> once;
  std::map<int, int> of_hundredth;
  int derived = 0;
  for (const TimedCells& one : cells) {
    EXPECT_TRUE(once.insert(one.arch).second);
    EXPECT_NEAR(one.predicted_ms, model_.predict_ms(one.arch), 1e-5);
    if (one.passed_at) {
      EXPECT_LE(++of_hundredth[static_cast<int>(std::floor(100 * one.predicted_ms / target))], 2);
    } else {
      ++derived;
      EXPECT_LE(one.predicted_ms, target * (1 + search::NearTarget::kShare));
    }
  }
  EXPECT_GT(derived, 0);
  const auto last = std::ranges::find(cells, arch_of(near.passed.back()), &TimedCells::arch);
  ASSERT_NE(last, cells.end());
  EXPECT_EQ(last->passed_at, near.passed.back().step);

  // Those of a search for another target, or for MACs, are none of this one's.
  for (const auto& [of, unit] : {std::pair{1.01 * target, "ms"}, {target, "MMACs"}}) {
    const search::NearTarget other{.target = of, .unit = unit, .passed = near.passed};
    for (const TimedCells& one :
         cells_near(*space_, logits(1), latency_, other, target, kMaxSkips)) {
      EXPECT_FALSE(one.passed_at);
    }
  }
}

TEST_F(MeasuredCells, ScoresAreThoseOfDerivation) {
  const search::CellLogits all = logits(5);
  const search::DerivedNet net =
      search::derive_within(*space_, all, latency_, std::vector{1e9}, {.max_skips = -1}).front();
  EXPECT_NEAR(search::score_of(space::cells_of(*space_, net.arch), all), net.score, 1e-9);
}

TEST_F(MeasuredCells, AreTimedOnce) {
  const TemporaryFolder folder;
  CountingRunner runner;
  const double target = search::derived_latency(logits(1), latency_, kMaxSkips);
  std::vector<TimedCells> cells = cells_near(*space_, logits(1), latency_, {}, target, kMaxSkips);
  ASSERT_GT(cells.size(), 1U);
  const auto timed = [&](std::vector<TimedCells>& some) {
    const int before = runner.nets_timed();
    time_cells(some, *space_, runner, folder.path() / "cells.jsonl", {.group_size = 100}, {});
    return runner.nets_timed() - before;
  };
  std::vector<TimedCells> first{cells.front(), cells.front()};
  EXPECT_EQ(timed(first), 2) << "a net and the anchor";
  EXPECT_EQ(timed(cells), cells.size());
  EXPECT_EQ(timed(cells), 0);
  for (const TimedCells& one : cells) {
    EXPECT_NEAR(one.measured_ms, measure::random_net(*space_, one.arch, 1).graph.size(), 1);
  }
  EXPECT_EQ(first[1].measured_ms, cells[0].measured_ms);
}

TEST_F(MeasuredCells, AnswerATargetInOrder) {
  const auto cells = [&](std::uint64_t seed, double ms, double score,
                         std::optional<std::int64_t> passed_at = {}) {
    return TimedCells{.arch = arch_of(passed(0, seed)),
                      .predicted_ms = 1,
                      .score = score,
                      .passed_at = passed_at,
                      .measured_ms = ms};
  };
  const auto order = [](const std::vector<TimedCells>& some, double target) {
    std::vector<double> ms;
    for (const TimedCells& one : answering(some, target)) ms.push_back(one.measured_ms);
    return ms;
  };
  // Of another search the best score within the target.
  std::vector<TimedCells> some{cells(1, 0.8, 5), cells(2, 0.99, 4), cells(3, 1.01, 9),
                               cells(4, 0.7, 6)};
  EXPECT_EQ(order(some, 1), (std::vector{0.7, 0.8, 0.99}));
  EXPECT_TRUE(order(some, 0.5).empty());
  // Of a search for it the latest that uses it, then what uses most of it.
  some.push_back(cells(5, 0.975, 1, 10));
  some.push_back(cells(6, 0.98, 1, 8));
  some.push_back(cells(7, 0.95, 1, 20));
  some.push_back(cells(8, 1.02, 1, 30));
  EXPECT_EQ(order(some, 1), (std::vector{0.975, 0.98, 0.99, 0.95, 0.8, 0.7}));
}

}  // namespace
}  // namespace lathe::run
