#include "lathe/space/families/cell_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "lathe/graph/counts.h"

namespace lathe::space {
namespace {

const CellSpec kCifar{.name = "darts_c16_l8", .init_channels = 16, .cells = 8};

TEST(CellSearchGraph, HasTheParametersAndMacsOfTheAuthorsNets) {
  // Of DARTS's and PC-DARTS's published code: 16 channels, 8 cells, 32x32.
  const CellSearchNet darts = cell_search_graph(kCifar);
  EXPECT_EQ(graph::params(darts.graph), 1'930'618);
  EXPECT_NEAR(static_cast<double>(graph::macs(darts.graph)), 300.3e6, 0.05e6);
  const CellSearchNet partial = cell_search_graph(kCifar, {.channel_parts = 4});
  EXPECT_EQ(graph::params(partial.graph), 299'578);
  EXPECT_NEAR(static_cast<double>(graph::macs(partial.graph)), 56.6e6, 0.05e6);
}

TEST(CellSearchGraph, MixesEveryOperationOfEveryEdge) {
  for (const int parts : {1, 4}) {
    const CellSearchNet net = cell_search_graph(kCifar, {.channel_parts = parts});
    const std::size_t per_node = parts == 1 ? 1 : 2;
    ASSERT_EQ(net.mixtures.size(), 8 * kCellNodes * per_node);
    for (const CellMixture& mixture : net.mixtures) {
      const graph::Node& node = net.graph[mixture.node];
      ASSERT_EQ(node.op, graph::Op::kMixedSum);
      EXPECT_EQ(node.inputs.size(), mixture.terms.size());
    }
    // One cell: all edges, all operations but none.
    std::set<std::pair<int, int>> seen;
    for (std::size_t i = 0; i < kCellNodes * per_node; ++i) {
      for (const MixedTerm& term : net.mixtures[i].terms) {
        EXPECT_TRUE(seen.emplace(term.edge, term.op).second);
      }
    }
    EXPECT_EQ(seen.size(), static_cast<std::size_t>(kCellEdges * (parts == 1 ? 7 : 8)));
    // Cells 2 and 5 reduce.
    for (std::size_t i = 0; i < net.mixtures.size(); ++i) {
      const std::size_t cell = i / (kCellNodes * per_node);
      EXPECT_EQ(net.mixtures[i].kind, cell == 2 || cell == 5 ? 1 : 0);
    }
  }
}

TEST(CellSearchGraph, SharesAStatesRelu) {
  const CellSearchNet net = cell_search_graph({.name = "one", .init_channels = 4, .cells = 1});
  std::set<int> read;
  for (const graph::Node& node : net.graph.nodes()) {
    if (node.op == graph::Op::kActivation) {
      EXPECT_TRUE(read.insert(node.inputs[0]).second);
    }
  }
}

TEST(CellSearchGraph, HasScalesOutsideOfCellsOnly) {
  const CellSearchNet net = cell_search_graph({.name = "one", .init_channels = 4, .cells = 3});
  int affine = 0;
  for (const graph::Node& node : net.graph.nodes()) {
    affine += node.op == graph::Op::kBatchNorm && node.affine ? 1 : 0;
  }
  EXPECT_EQ(affine, 1);  // the stem's
}

TEST(CellSearchGraph, RefusesChannelsThatDontDivide) {
  try {
    cell_search_graph({.name = "odd", .init_channels = 12, .cells = 1}, {.channel_parts = 4});
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(),
                 "[space::cell_search_graph] channel_parts must divide init_channels 12 into even "
                 "numbers of channels, got 4");
  }
  EXPECT_THROW(cell_search_graph(kCifar, {.channel_parts = 0}), std::invalid_argument);
}

}  // namespace
}  // namespace lathe::space
