// What a search of cells finds: a number for each operation on each edge.
#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lathe/space/families/genotype.h"

namespace lathe::search {

/// The published alphas, and betas where edges have weights of their own. Kind 0 are normal cells,
/// kind 1 reduction cells. `none` is an operation here: it takes part in each edge's softmax.
struct CellLogits {
  static constexpr int kVersion = 1;

  int kinds = 2;
  std::vector<double> ops;    ///< [kinds, 14, 8]
  std::vector<double> edges;  ///< [kinds, 14], or empty

  /// All zero. @throws std::invalid_argument if kinds is not 1 or 2.
  static CellLogits zero(int kinds, bool with_edges);

  static constexpr std::size_t op_index(int kind, int edge, int op) {
    return static_cast<std::size_t>((kind * space::kCellEdges + edge) * 8 + op);
  }
  static constexpr std::size_t edge_index(int kind, int edge) {
    return static_cast<std::size_t>(kind * space::kCellEdges + edge);
  }

  /// [kinds, 14, 8]: the softmax over each edge's operations, none included, times, where edges
  /// have weights, the softmax of those over the edges into the same node.
  std::vector<double> strengths() const;
  /// [kinds, 14, 8]: the softmax over the operations but none, whose share is 0.
  std::vector<double> op_shares() const;

  /// `{"version": 1, "ops": {"normal": [14 lists of 8], "reduce": [...]}, "edges": {...} or null}`.
  nlohmann::ordered_json to_json() const;
  /// @throws Error `<where>: ...` for another version or shape, or numbers that are not finite.
  static CellLogits from_json(const nlohmann::json& json, const std::string& where);
  static CellLogits load(const std::filesystem::path& path);

  bool operator==(const CellLogits&) const = default;
};

/// The cells that DARTS derives: for each node the two edges whose strongest operation is the
/// strongest, each with that operation; `none` doesn't count. Of equals the first. With
/// `max_skips` >= 0, the normal cell's weakest skips beyond that many give way to the edge's next
/// operation, one after the other, each time deriving anew.
/// @see DARTS (Liu et al., ICLR 2019), section 2.4; P-DARTS (Chen et al., ICCV 2019), section 3.3.
std::vector<space::Cell> derive_cells(const CellLogits& logits, int max_skips = -1);

}  // namespace lathe::search
