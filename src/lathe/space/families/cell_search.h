// The net that cells are searched in: every operation on every edge at once, mixed by weights that
// are searched too.
#pragma once

#include <vector>

#include "lathe/graph/graph.h"
#include "lathe/space/families/cell_family.h"

namespace lathe::space {

struct CellSearchOptions {
  /// Operations see the first of so many parts of the channels; the others bypass them, through a
  /// max pool where the edge has stride 2, and are shuffled in between. 1: DARTS; 4: PC-DARTS.
  int channel_parts = 1;
  /// A further skip on every edge, whose weight is no part of the search but given, and fades
  /// (DARTS-: Chu et al., ICLR 2021): it takes over what makes skips win.
  bool auxiliary_skips = false;
};

/// What an input of a mixed sum is.
struct MixedTerm {
  static constexpr int kBypass = -1;
  static constexpr int kAuxiliarySkip = -2;
  int edge = 0;      ///< of the cell's 14, cell_edge()
  int op = kBypass;  ///< of kCellOps but none, or one of the above
  bool operator==(const MixedTerm&) const = default;
};

/// One node of one cell: the sum over its edges.
struct CellMixture {
  int node = 0;  ///< the graph's
  int kind = 0;  ///< of the cell: 0 normal, 1 reduction
  std::vector<MixedTerm> terms;
};

struct CellSearchNet {
  graph::Graph graph;
  std::vector<CellMixture> mixtures;
};

/// The search net of `spec`'s cells: its stem, cells and classifier, where each node of a cell adds
/// up all operations but none on all of its edges, each times a number of its own. With bypasses a
/// node has a second mixture, of what bypasses its edges. Batch norm within cells has no scale and
/// shift, pools are followed by one, and edges from one state share its ReLU. There is no auxiliary
/// head.
/// @see DARTS (Liu et al., ICLR 2019), section 2; PC-DARTS (Xu et al., ICLR 2020), section 3.
/// Differs in: PC-DARTS shuffles and concatenates on each edge; here, once for the sum over the
/// edges, which is the same.
/// @throws std::invalid_argument as make_cell_space(), or if channel_parts don't divide
/// init_channels into even numbers of channels.
CellSearchNet cell_search_graph(const CellSpec& spec, const CellSearchOptions& options = {});

}  // namespace lathe::space
