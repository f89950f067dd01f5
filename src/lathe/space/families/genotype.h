// Cells of DARTS (Liu et al., ICLR 2019): which two inputs each node has and what is done to them.
// How they are written, as JSON and as the text that papers publish, and which are the same.
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace lathe::space {

/// In the order of the published code; an operation is an index into it. `none` is no choice.
inline constexpr std::array<const char*, 8> kCellOps{"none",         "max_pool_3x3", "avg_pool_3x3",
                                                     "skip_connect", "sep_conv_3x3", "sep_conv_5x5",
                                                     "dil_conv_3x3", "dil_conv_5x5"};
inline constexpr int kNumCellOps = static_cast<int>(kCellOps.size());
inline constexpr int kCellSkip = 3;  ///< skip_connect among them
inline constexpr int kCellNodes = 4;
inline constexpr int kCellInputs = 2 * kCellNodes;  ///< of all nodes, two each
inline constexpr int kCellEdges = 14;
inline constexpr int kCellBits = kCellEdges * 8;

/// States 0 and 1 are the outputs of the cell before the last and of the last; node n is state
/// n + 2, and may read any earlier state.
struct CellInput {
  int op = 0;
  int source = 0;
  bool operator==(const CellInput&) const = default;
  auto operator<=>(const CellInput&) const = default;
};

/// Inputs 2n and 2n + 1 are those of node n, by ascending source. A node adds up its inputs; the
/// output is the concatenation of the nodes.
using Cell = std::array<CellInput, kCellInputs>;

/// The place of an edge among the 14: by node, then by source.
constexpr int cell_edge(int node, int source) { return node * (node + 3) / 2 + source; }

/// Every cell that is `cell` with its nodes in another order, itself included; ascending. They
/// compute the same up to the order of output channels, so they are equally fast and accurate: the
/// least of them is a canonical form. At most 24.
std::vector<Cell> relabellings(const Cell& cell);

/// `[["sep_conv_3x3", 0], ["skip_connect", 1], ...]`.
nlohmann::ordered_json to_json(const Cell& cell);
/// Accepts a node's inputs in either order. `where` names the file and the member in errors.
/// @throws Error `<where> ...` unless it is a list of eight [operation, source] with known
/// operations other than none, earlier states as sources, and two different ones for each node.
Cell cell_from_json(const nlohmann::json& json, const std::string& where);

/// The JSON of a cell arch, from the text `Genotype(normal=[('sep_conv_3x3', 1), ...],
/// normal_concat=range(2, 6), reduce=[...], reduce_concat=[2, 3, 4, 5])`, as a Python file may have
/// it: quotes of either kind, white space anywhere, `NAME =` before it. The cells themselves are
/// not checked: cell_from_json() does.
/// @throws Error `<where>: ...` naming what was expected and the line, if the text is no genotype,
/// or concatenates other nodes than 2 to 5.
nlohmann::json genotype_from_text(const std::string& text, const std::string& where);
/// The same text, on one line.
std::string genotype_to_text(const Cell& normal, const Cell& reduce);

}  // namespace lathe::space
