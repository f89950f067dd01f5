// Where the cells of a net stand and what each part of them is: shared by the nets that cells make
// and the net that they are searched in.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "lathe/space/block.h"
#include "lathe/space/families/cell_family.h"
#include "lathe/space/families/genotype.h"

namespace lathe::space {

/// One cell of the net: what reaches it, and what its nodes give.
struct CellPlace {
  graph::Shape before_last;  ///< output of the cell before the last
  graph::Shape last;
  graph::Shape node;
  bool reduction = false;
  /// Which of the two kinds of cells it is: 0 normal, 1 reduction.
  int kind() const { return reduction ? 1 : 0; }
};

class CellLayout {
 public:
  /// @throws std::invalid_argument as make_cell_space().
  explicit CellLayout(CellSpec spec);

  const CellSpec& spec() const { return spec_; }
  /// Kinds of cells: 2, or 1 without reduction cells.
  int kinds() const;
  const std::vector<CellPlace>& places() const { return places_; }

  std::vector<Block> stem() const;
  /// What makes the two states that reach cell `c` fit.
  std::array<Block, 2> preprocess(std::size_t c) const;
  /// What an edge into `node` of cell `c` does; nothing for a skip that is the state itself.
  std::vector<Block> edge(std::size_t c, int node, const CellInput& input) const;
  Block sum(std::size_t c) const;
  Block auxiliary_head() const;
  Block classifier() const;
  /// The cell that the auxiliary head follows.
  std::size_t auxiliary_place() const { return 2 * places_.size() / 3; }
  /// Whether an edge from that state of cell `c` has stride 2.
  bool strided(std::size_t c, int source) const { return places_[c].reduction && source < 2; }

 private:
  void check() const;
  void add_places();

  CellSpec spec_;
  std::vector<CellPlace> places_;
};

}  // namespace lathe::space
