#include "lathe/search/cells/derive.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "core/temporary_folder.h"
#include "lathe/space/builtin_spaces.h"
#include "lathe/space/families/cell_family.h"
#include "search/cells/small_perceptron.h"
#include "search/synthetic_models.h"

namespace lathe::search {
namespace {

using lathe::testing::small_perceptron;
using lathe::testing::text_thrown;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

CellLogits random_logits(int kinds, std::uint64_t seed) {
  CellLogits logits = CellLogits::zero(kinds, false);
  Rng rng(seed);
  for (double& value : logits.ops) value = rng.normal();
  return logits;
}

/// A part of a cell: score, latency and skips of some of its nodes.
struct Part {
  double score, ms;
  int skips;
};

/// The parts that no other is better than in everything.
std::vector<Part> undominated(std::vector<Part> parts) {
  std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
    return a.score != b.score ? a.score > b.score : a.ms < b.ms;
  });
  std::vector<Part> kept;
  for (const Part& part : parts) {
    if (std::none_of(kept.begin(), kept.end(),
                     [&](const Part& k) { return k.ms <= part.ms && k.skips <= part.skips; })) {
      kept.push_back(part);
    }
  }
  return kept;
}

/// The best score within each target by combining all nodes of a single cell in every way.
std::vector<double> by_brute_force(const CellLogits& logits, const CellLatency& latency,
                                   const std::vector<double>& targets, int max_skips) {
  const std::vector<double> strengths = logits.strengths();
  std::vector<Part> cells{{0, latency.constant(), 0}};
  for (int node = 0; node < space::kCellNodes; ++node) {
    std::vector<Part> next;
    for (int a = 0; a < node + 2; ++a) {
      for (int b = a + 1; b < node + 2; ++b) {
        for (int p = 1; p < 8; ++p) {
          for (int q = 1; q < 8; ++q) {
            const std::size_t i = CellLogits::op_index(0, space::cell_edge(node, a), p);
            const std::size_t j = CellLogits::op_index(0, space::cell_edge(node, b), q);
            for (const Part& cell : cells) {
              next.push_back({cell.score + strengths[i] + strengths[j],
                              cell.ms + latency.weights()[i] + latency.weights()[j],
                              cell.skips + (p == 3) + (q == 3)});
            }
          }
        }
      }
    }
    cells = undominated(std::move(next));
  }
  std::vector<double> best;
  for (const double target : targets) {
    double score = -1;
    for (const Part& cell : cells) {
      if (cell.ms <= target && (max_skips < 0 || cell.skips <= max_skips)) {
        score = std::max(score, cell.score);
      }
    }
    best.push_back(score);
  }
  return best;
}

TEST(DeriveWithin, IsTheBestOfAllCellsOfASum) {
  const auto space = space::make_space("darts_c4_l1", {.input_size = 8});
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const CellLatency latency(*space, lathe::testing::AdditiveLatency(*space, seed));
    const CellLogits logits = random_logits(1, seed + 20);
    const DerivedNet free =
        derive_within(*space, logits, latency, std::vector{kInfinity}, {.max_skips = -1})[0];
    const std::vector<double> targets{free.minimum_ms,
                                      free.minimum_ms * 1.01,
                                      0.6 * free.minimum_ms + 0.4 * free.latency_ms,
                                      0.3 * free.minimum_ms + 0.7 * free.latency_ms,
                                      free.latency_ms,
                                      kInfinity};
    for (const int max_skips : {-1, 2, 0}) {
      const std::vector<DerivedNet> nets =
          derive_within(*space, logits, latency, targets, {.max_skips = max_skips});
      const std::vector<double> expected = by_brute_force(logits, latency, targets, max_skips);
      for (std::size_t t = 0; t < targets.size(); ++t) {
        SCOPED_TRACE(std::to_string(seed) + ", skips " + std::to_string(max_skips) + ", target " +
                     std::to_string(t));
        ASSERT_EQ(nets[t].feasible, expected[t] >= 0);
        if (!nets[t].feasible) continue;
        EXPECT_NEAR(nets[t].score, expected[t], 1e-9);
        EXPECT_TRUE(nets[t].proved());
        EXPECT_LE(nets[t].latency_ms, targets[t] * (1 + 1e-12));
        int skips = 0;
        const std::vector<space::Cell> cells = space::cells_of(*space, nets[t].arch);
        for (const space::CellInput& input : cells.front()) {
          skips += input.op == 3 ? 1 : 0;
        }
        EXPECT_LE(skips, max_skips < 0 ? 8 : max_skips);
      }
    }
  }
}

TEST(DeriveWithin, WithoutATargetIsWhatDartsDerives) {
  const auto space = space::make_space("darts_c4_l3", {.input_size = 8});
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const CellLatency sum(*space, lathe::testing::AdditiveLatency(*space, seed));
    const CellLatency learned(
        *space, latency::PerceptronModel(*space, small_perceptron(*space, seed), nullptr));
    const CellLogits logits = random_logits(2, seed);
    for (const CellLatency* latency : {&sum, &learned}) {
      const auto nets =
          derive_within(*space, logits, *latency, std::vector{kInfinity}, {.max_skips = -1});
      EXPECT_EQ(space::cells_of(*space, nets[0].arch), derive_cells(logits));
    }
  }
}

TEST(DeriveWithin, NamesTheFastestWhereNoneIsFastEnough) {
  const auto space = space::make_space("darts_c4_l3", {.input_size = 8});
  const CellLatency latency(*space, lathe::testing::AdditiveLatency(*space, 1));
  const auto nets = derive_within(*space, random_logits(2, 1), latency, std::vector{1e-3});
  EXPECT_FALSE(nets[0].feasible);
  Rng rng(1);
  for (int i = 0; i < 500; ++i) {
    EXPECT_LE(nets[0].minimum_ms, latency.predict(space->encode(space->sample(rng)))[0]);
  }
}

TEST(DeriveWithin, OfAPerceptronLooksAtNetsBestFirst) {
  const auto space = space::make_space("darts_c4_l1", {.input_size = 8});
  const CellLatency latency(*space,
                            latency::PerceptronModel(*space, small_perceptron(*space, 3), nullptr));
  const CellLogits logits = random_logits(1, 5);
  const DerivedNet free =
      derive_within(*space, logits, latency, std::vector{kInfinity}, {.max_skips = -1})[0];
  const std::vector<double> targets{free.latency_ms - 0.5, free.latency_ms - 0.1};
  const auto exact = derive_within(*space, logits, latency, targets, {.max_skips = -1});
  const auto cut =
      derive_within(*space, logits, latency, targets, {.max_skips = -1, .most_nets = 2});
  Rng rng(2);
  const std::vector<double> strengths = logits.strengths();
  for (std::size_t t = 0; t < targets.size(); ++t) {
    ASSERT_TRUE(exact[t].feasible);
    EXPECT_TRUE(exact[t].proved());
    EXPECT_LE(exact[t].latency_ms, targets[t]);
    // By the ridge: within the target, and no better than what is exact.
    ASSERT_TRUE(cut[t].feasible);
    EXPECT_LE(cut[t].latency_ms, targets[t]);
    EXPECT_LE(cut[t].score, exact[t].score + 1e-9);
    EXPECT_GE(cut[t].bound, exact[t].score - 1e-9);
    EXPECT_GT(cut[t].score, 0.9 * exact[t].score);
    for (int i = 0; i < 20'000; ++i) {
      const std::vector<float> row = space->encode(space->sample(rng));
      if (latency.predict(row)[0] > targets[t]) continue;
      double score = 0;
      for (std::size_t b = 0; b < row.size(); ++b) score += row[b] > 0 ? strengths[b] : 0.0;
      EXPECT_LE(score, exact[t].score + 1e-9);
    }
  }
}

/// The numbers of the normal cells alone.
CellLogits of_normal_cells(const CellLogits& logits) {
  CellLogits normal = CellLogits::zero(1, false);
  std::copy_n(logits.ops.begin(), normal.ops.size(), normal.ops.begin());
  return normal;
}

TEST(DeriveWithin, ALatencyOfNormalCellsLeavesReductionCellsFree) {
  const auto space = space::make_space("darts_c4_l3", {.input_size = 8});
  const auto single = space::make_space("darts_c4_l1", {.input_size = 8});
  const lathe::testing::AdditiveLatency model(*single, 4);
  const CellLatency sum(*single, model);
  const CellLatency learned(
      *single, latency::PerceptronModel(*single, small_perceptron(*single, 4), nullptr));
  for (const CellLatency* latency : {&sum, &learned}) {
    const CellLogits logits = random_logits(2, 8);
    const CellLogits normal = of_normal_cells(logits);
    const double free_ms =
        derive_within(*single, normal, *latency, std::vector{kInfinity})[0].latency_ms;
    const std::vector<double> targets{0.99 * free_ms, kInfinity};
    const auto whole = derive_within(*space, logits, *latency, targets);
    const auto alone = derive_within(*single, normal, *latency, targets);
    for (std::size_t t = 0; t < targets.size(); ++t) {
      ASSERT_TRUE(whole[t].feasible);
      EXPECT_EQ(whole[t].latency_ms, alone[t].latency_ms);
      const std::vector<space::Cell> cells = space::cells_of(*space, whole[t].arch);
      EXPECT_EQ(cells.front(), space::cells_of(*single, alone[t].arch).front());
      EXPECT_EQ(cells.back(), derive_cells(logits).back());
    }
  }
}

TEST(DerivedLatency, IsTheModelsOfTheCellsThatDartsDerives) {
  const auto space = space::make_space("darts_c4_l3", {.input_size = 8});
  const auto single = space::make_space("darts_c4_l1", {.input_size = 8});
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const CellLogits logits = random_logits(2, seed);
    const CellLatency sum(*space, lathe::testing::AdditiveLatency(*space, seed));
    const CellLatency learned(
        *space, latency::PerceptronModel(*space, small_perceptron(*space, seed), nullptr));
    const CellLatency of_normal(*single, lathe::testing::AdditiveLatency(*single, seed));
    for (const int max_skips : {-1, 0}) {
      const std::vector<float> row =
          space->encode(space::arch_of(*space, derive_cells(logits, max_skips)));
      EXPECT_EQ(derived_latency(logits, sum, max_skips), sum.predict(row)[0]);
      EXPECT_EQ(derived_latency(logits, learned, max_skips), learned.predict(row)[0]);
      EXPECT_EQ(derived_latency(logits, of_normal, max_skips),
                derived_latency(of_normal_cells(logits), of_normal, max_skips));
    }
  }
}

TEST(DeriveWithin, SaysWhatIsWrong) {
  const auto space = space::make_space("darts_c4_l3", {.input_size = 8});
  const CellLatency latency(*space, lathe::testing::AdditiveLatency(*space, 1));
  const auto thrown = [&](const CellLogits& logits, const std::vector<double>& targets) {
    return text_thrown<std::invalid_argument>(
        [&] { derive_within(*space, logits, latency, targets); });
  };
  EXPECT_EQ(thrown(CellLogits::zero(2, false), {}), "[search::derive_within] needs a target");
  EXPECT_EQ(thrown(CellLogits::zero(2, false), {-1.0}),
            "[search::derive_within] targets must be > 0, got -1.000000");
  EXPECT_EQ(
      thrown(CellLogits::zero(1, false), {1.0}),
      "[search::derive_within] the space has 2 kinds of cells, the logits 1 and the latency 2");
}

}  // namespace
}  // namespace lathe::search
