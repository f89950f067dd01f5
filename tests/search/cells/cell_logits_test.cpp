#include "lathe/search/cells/cell_logits.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <stdexcept>

#include "core/temporary_folder.h"
#include "lathe/core/error.h"
#include "lathe/core/random.h"

namespace lathe::search {
namespace {

using lathe::testing::text_thrown;
using space::cell_edge;

CellLogits random_logits(bool with_edges, std::uint64_t seed) {
  CellLogits logits = CellLogits::zero(2, with_edges);
  Rng rng(seed);
  for (double& value : logits.ops) value = rng.normal();
  for (double& value : logits.edges) value = rng.normal();
  return logits;
}

/// Makes one operation of an edge stand out.
void raise(CellLogits& logits, int kind, int node, int source, int op, double by) {
  logits.ops[CellLogits::op_index(kind, cell_edge(node, source), op)] = by;
}

TEST(CellLogits, StrengthsAreSoftmaxesWithNone) {
  const CellLogits logits = random_logits(true, 1);
  const std::vector<double> strengths = logits.strengths();
  for (int kind = 0; kind < 2; ++kind) {
    for (int node = 0; node < space::kCellNodes; ++node) {
      double of_node = 0, edge_sum = 0;
      for (int source = 0; source < node + 2; ++source) {
        edge_sum += std::exp(logits.edges[CellLogits::edge_index(kind, cell_edge(node, source))]);
      }
      for (int source = 0; source < node + 2; ++source) {
        const int edge = cell_edge(node, source);
        double sum = 0;
        for (int op = 0; op < 8; ++op) {
          sum += std::exp(logits.ops[CellLogits::op_index(kind, edge, op)]);
        }
        for (int op = 0; op < 8; ++op) {
          const std::size_t i = CellLogits::op_index(kind, edge, op);
          EXPECT_NEAR(strengths[i],
                      std::exp(logits.ops[i]) / sum *
                          std::exp(logits.edges[CellLogits::edge_index(kind, edge)]) / edge_sum,
                      1e-12);
          of_node += strengths[i];
        }
      }
      EXPECT_NEAR(of_node, 1, 1e-12);
    }
  }
}

TEST(CellLogits, SharesLeaveNoneOut) {
  const CellLogits logits = random_logits(false, 2);
  const std::vector<double> shares = logits.op_shares();
  for (std::size_t first = 0; first < shares.size(); first += 8) {
    EXPECT_EQ(shares[first], 0);
    EXPECT_NEAR(std::accumulate(shares.begin() + static_cast<std::ptrdiff_t>(first),
                                shares.begin() + static_cast<std::ptrdiff_t>(first) + 8, 0.0),
                1, 1e-12);
    EXPECT_NEAR(shares[first + 3] / shares[first + 5],
                std::exp(logits.ops[first + 3] - logits.ops[first + 5]), 1e-9);
  }
}

TEST(CellLogits, ComeBackFromAFile) {
  const lathe::testing::TemporaryFolder folder;
  for (const bool with_edges : {false, true}) {
    const CellLogits logits = random_logits(with_edges, 3);
    const nlohmann::json json = nlohmann::json::parse(logits.to_json().dump());
    EXPECT_EQ(CellLogits::from_json(json, "a.json"), logits);
  }
  CellLogits one = CellLogits::zero(1, false);
  EXPECT_EQ(CellLogits::from_json(one.to_json(), "a.json"), one);
}

TEST(CellLogits, SayWhatIsWrongWithAFile) {
  const auto thrown = [](const char* at, const nlohmann::json& value) {
    nlohmann::json json = CellLogits::zero(2, true).to_json();
    json[nlohmann::json::json_pointer(at)] = value;
    return text_thrown<Error>([&] { CellLogits::from_json(json, "a.json"); });
  };
  EXPECT_EQ(thrown("/version", 2), "a.json: \"version\": expected 1, got 2");
  EXPECT_EQ(thrown("/ops/normal", {1, 2}),
            "a.json: ops.normal: expected a list of 14 lists, one for each edge, got 2");
  EXPECT_EQ(thrown("/ops/reduce/3", "x"),
            "a.json: ops.reduce[3]: expected a list of 8 numbers, got \"x\"");
  EXPECT_EQ(thrown("/ops/reduce/3/2", nullptr),
            "a.json: ops.reduce[3]: expected a finite number, got null");
  EXPECT_EQ(thrown("/edges/normal", {1}),
            "a.json: edges.normal: expected a list of 14 numbers, got 1");
}

TEST(DeriveCells, TakesTheTwoStrongestEdgesOfEachNode) {
  // Of node 0 both edges; of the others the two that are raised, whatever the order of strength.
  CellLogits logits = CellLogits::zero(2, false);
  raise(logits, 0, 0, 0, 5, 2);
  raise(logits, 0, 0, 1, 3, 1);
  raise(logits, 0, 1, 2, 4, 3);
  raise(logits, 0, 1, 0, 6, 2);
  raise(logits, 0, 2, 1, 7, 3);
  raise(logits, 0, 2, 3, 1, 2);
  raise(logits, 0, 3, 4, 2, 1);
  raise(logits, 0, 3, 0, 4, 2);
  // None may be the strongest of all: it doesn't count, but takes strength from its edge.
  raise(logits, 0, 3, 2, 0, 9);
  const std::vector<space::Cell> cells = derive_cells(logits);
  ASSERT_EQ(cells.size(), 2);
  const space::Cell expected{{{5, 0}, {3, 1}, {6, 0}, {4, 2}, {7, 1}, {1, 3}, {4, 0}, {2, 4}}};
  EXPECT_EQ(cells[0], expected);
}

TEST(DeriveCells, RanksEdgesByTheirWeightsToo) {
  CellLogits logits = CellLogits::zero(1, true);
  raise(logits, 0, 1, 0, 4, 3);
  raise(logits, 0, 1, 1, 4, 3);
  raise(logits, 0, 1, 2, 5, 1);
  logits.edges[CellLogits::edge_index(0, cell_edge(1, 2))] = 5;
  logits.edges[CellLogits::edge_index(0, cell_edge(1, 1))] = -5;
  const space::Cell cell = derive_cells(logits)[0];
  EXPECT_EQ(cell[2], (space::CellInput{4, 0}));
  EXPECT_EQ(cell[3], (space::CellInput{5, 2}));
}

TEST(DeriveCells, LimitsTheSkipsOfTheNormalCell) {
  CellLogits logits = random_logits(false, 7);
  for (std::size_t first = 0; first < logits.ops.size(); first += 8) {
    logits.ops[first + 3] += 3;
  }
  const auto skips = [](const space::Cell& cell) {
    int count = 0;
    for (const space::CellInput& input : cell) count += input.op == 3 ? 1 : 0;
    return count;
  };
  const std::vector<space::Cell> free = derive_cells(logits);
  EXPECT_GT(skips(free[0]), 4);
  for (const int most : {0, 2, 5}) {
    const std::vector<space::Cell> limited = derive_cells(logits, most);
    EXPECT_EQ(skips(limited[0]), std::min(most, skips(free[0])));
    EXPECT_EQ(limited[1], free[1]);
  }
}

}  // namespace
}  // namespace lathe::search
