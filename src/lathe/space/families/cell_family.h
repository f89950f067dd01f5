// Nets of repeated cells: the space of DARTS (Liu et al., ICLR 2019) and PC-DARTS (Xu et al., ICLR
// 2020), as evaluation nets.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lathe/space/families/genotype.h"
#include "lathe/space/space.h"

namespace lathe::space {

enum class CellStem {
  kCifar,     ///< conv 3x3 to three times the channels
  kImagenet,  ///< three convs 3x3 of stride 2
};

/// Layout: stem - cells - global average pool and classifier. Cells number cells/3 and 2*cells/3
/// are reduction cells, with stride 2 on the edges from states 0 and 1 and twice the channels; a
/// net of one or two cells has none (a proxy for one cell's latency). State 0 is made to fit by a
/// 1x1 convolution, or by a factorized reduction where its map is twice as large.
struct CellSpec {
  std::string name;
  Task task{.in_channels = 3, .num_classes = 10, .input_size = 32};
  CellStem stem = CellStem::kCifar;
  int init_channels = 36;  ///< of each node of the first cells
  int cells = 20;
  /// A second classifier after the second reduction cell, for training: the net's output is the
  /// logits followed by that head's, 2 * num_classes in all.
  bool auxiliary = false;
};

/// Decisions: for the normal and (from three cells on) the reduction cell, in groups
/// "normal_inputs" and "normal_ops": of each node but the first the pair of its sources in
/// lexicographic order, then an operation for the earlier source and one for the later. Every
/// combination is another cell, so a uniform sample is uniform over 1,037,664,180 cells of each
/// kind, and every redrawn or exchanged choice stays in the space.
///
/// Slots: a fixed one, then one per kind of cell and node input, with that edge's operation in
/// every cell of the kind; so blocks() is by edge, not in the order of the net, and graph() is
/// wired from the same blocks. Latency is additive over the operations of the edges.
///
/// encode(): bit cell_edge * 8 + operation, 112 bits a kind, exactly 8 of them set.
/// JSON: `{"space": "darts", "normal": [["sep_conv_3x3", 0], ...], "reduce": [...]}`, whatever the
/// stem, channels and cells, so that a cell found in one net is used in another. "reduce" may be
/// missing, and has no effect, where the net has no reduction cell.
///
/// Weights are not shared by slicing: nn::Supernet refuses the space.
/// @throws std::invalid_argument if a number isn't positive, there are no classes, the channels
/// are odd (a factorized reduction halves them), or the input doesn't divide by the strides: by 4,
/// with the ImageNet stem by 32, and without reduction cells by 1 or 8; or for an auxiliary head
/// without reduction cells or on a map that isn't 7 to 10 pixels wide.
std::unique_ptr<Space> make_cell_space(CellSpec spec);

/// Whether make_cell_space() made it.
bool has_cells(const Space& space);
/// What such a space was made from. @throws std::invalid_argument if it is no space of cells, as
/// those below.
const CellSpec& cell_spec(const Space& space);
/// The space of the same nets without the head that they have in training: those that are handed
/// over. Parameters have the same names.
std::unique_ptr<Space> without_auxiliary_head(const Space& space);
/// The cells of a net: the normal one, then the reduction cell where its nets have any. Slot
/// 1 + 8 * kind + i of the space is input i of the cell of that kind.
/// @throws std::invalid_argument also if `arch` is none of the space.
std::vector<Cell> cells_of(const Space& space, const Arch& arch);
/// The arch with these cells, which are valid. @throws std::invalid_argument also if there are more
/// or fewer than the space's kinds.
Arch arch_of(const Space& space, std::span<const Cell> cells);

}  // namespace lathe::space
