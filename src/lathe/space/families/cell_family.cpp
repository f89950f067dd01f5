#include "lathe/space/families/cell_family.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "lathe/core/error.h"
#include "lathe/space/families/cell_layout.h"

namespace lathe::space {
namespace {

using graph::Activation;
using graph::Graph;
using graph::Shape;

constexpr int kDecisionsPerCell = 3 * kCellNodes - 1;  // the first node has one pair of sources
const char* const kMembers[] = {"normal", "reduce"};

/// Sources of a node, two of its `states`, in lexicographic order.
std::vector<std::pair<int, int>> source_pairs(int states) {
  std::vector<std::pair<int, int>> pairs;
  for (int a = 0; a < states; ++a) {
    for (int b = a + 1; b < states; ++b) {
      pairs.emplace_back(a, b);
    }
  }
  return pairs;
}

constexpr int kLargestOp = 5;  // sep_conv_5x5

class CellSpace final : public Space {
 public:
  explicit CellSpace(CellSpec spec);

  bool alive(const Arch& /*arch*/, int /*i*/) const override { return true; }
  double log10_num_nets() const override;
  std::vector<int> elastic_kernels() const override { return {}; }
  bool is_chain() const override { return false; }
  bool weights_nest() const override { return false; }
  Arch largest() const override;
  std::vector<Arch> equivalents(const Arch& arch) const override;
  graph::Graph graph(const Arch& arch) const override { return wired(arch, false); }
  graph::Graph training_graph(const Arch& arch) const override { return wired(arch, true); }
  std::vector<float> encode(const Arch& arch) const override;
  int encoding_size() const override { return kinds_ * kCellBits; }
  bool encodes_choices() const override { return false; }
  nlohmann::ordered_json to_json(const Arch& arch) const override;
  Arch from_json(const nlohmann::json& json, const std::string& where) const override;

  const CellLayout& layout() const { return layout_; }
  Cell cell(const Arch& arch, int kind) const;
  void set_cell(Arch& arch, int kind, const Cell& cell) const;

 protected:
  std::vector<Block> slot_blocks(const Arch& arch, int s) const override;

 private:
  void add_decisions(int kind);

  CellInput input_of(const Arch& arch, int kind, int index) const;

  graph::Graph wired(const Arch& arch, bool drops_paths) const;
  /// Wires cell `c` between the outputs of the two before it.
  int add_cell(Graph& g, const Arch& arch, std::size_t c, std::array<int, 2> from,
               bool drops_paths) const;

  CellLayout layout_;
  int kinds_;  // of cells
};

CellSpace::CellSpace(CellSpec spec)
    : Space(spec.name, spec.task), layout_(std::move(spec)), kinds_(layout_.kinds()) {
  slots_.push_back({});
  for (int kind = 0; kind < kinds_; ++kind) {
    add_decisions(kind);
  }
}

void CellSpace::add_decisions(int kind) {
  std::vector<double> ops;
  for (std::size_t op = 1; op < kCellOps.size(); ++op) {
    ops.push_back(static_cast<double>(op));
  }
  const std::string member = kMembers[kind];
  for (int node = 0; node < kCellNodes; ++node) {
    std::vector<int> scope;
    const auto add = [&](const std::string& group, int index, const std::vector<double>& values) {
      const int decision = static_cast<int>(decisions_.size());
      decisions_.push_back({member + group, index, values});
      genes_.push_back({decision});
      return decision;
    };
    if (node > 0) {
      std::vector<double> pairs(source_pairs(node + 2).size());
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        pairs[i] = static_cast<double>(i);
      }
      scope.push_back(add("_inputs", node - 1, pairs));
    }
    for (int i = 0; i < 2; ++i) {
      std::vector<int> of_edge = scope;
      of_edge.push_back(add("_ops", 2 * node + i, ops));
      slots_.push_back({std::move(of_edge)});
    }
  }
}

double CellSpace::log10_num_nets() const {
  double total = 0;
  for (const Decision& decision : decisions_) {
    total += std::log10(static_cast<double>(decision.num_choices()));
  }
  return total;
}

CellInput CellSpace::input_of(const Arch& arch, int kind, int index) const {
  const int node = index / 2;
  const int first = kind * kDecisionsPerCell + 3 * node;  // the node's first operation
  const int op = static_cast<int>(value(arch, first + index % 2));
  if (node == 0) {
    return {op, index};
  }
  const auto [earlier, later] =
      source_pairs(node + 2)[arch.choices[static_cast<std::size_t>(first - 1)]];
  return {op, index % 2 == 0 ? earlier : later};
}

Cell CellSpace::cell(const Arch& arch, int kind) const {
  Cell cell;
  for (int i = 0; i < kCellInputs; ++i) {
    cell.at(static_cast<std::size_t>(i)) = input_of(arch, kind, i);
  }
  return cell;
}

void CellSpace::set_cell(Arch& arch, int kind, const Cell& cell) const {
  for (int node = 0; node < kCellNodes; ++node) {
    const auto first = static_cast<std::size_t>(kind * kDecisionsPerCell + 3 * node);
    const CellInput& earlier = cell.at(static_cast<std::size_t>(2 * node));
    const CellInput& later = cell.at(static_cast<std::size_t>(2 * node + 1));
    if (node > 0) {
      const auto pairs = source_pairs(node + 2);
      const auto found =
          std::find(pairs.begin(), pairs.end(), std::pair{earlier.source, later.source});
      arch.choices[first - 1] = static_cast<std::uint8_t>(found - pairs.begin());
    }
    arch.choices[first] = static_cast<std::uint8_t>(earlier.op - 1);
    arch.choices[first + 1] = static_cast<std::uint8_t>(later.op - 1);
  }
}

Arch CellSpace::largest() const {
  Arch arch = Space::largest();
  for (int kind = 0; kind < kinds_; ++kind) {
    Cell wide = cell(arch, kind);
    for (CellInput& input : wide) {
      input.op = kLargestOp;
    }
    set_cell(arch, kind, wide);
  }
  return arch;
}

std::vector<Arch> CellSpace::equivalents(const Arch& arch) const {
  check(arch);
  std::vector<Arch> all{arch};
  for (int kind = 0; kind < kinds_; ++kind) {
    const std::vector<Cell> cells = relabellings(cell(arch, kind));
    std::vector<Arch> next;
    for (const Arch& given : all) {
      for (const Cell& other : cells) {
        next.push_back(given);
        set_cell(next.back(), kind, other);
      }
    }
    all = std::move(next);
  }
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<Block> CellSpace::slot_blocks(const Arch& arch, int s) const {
  std::vector<Block> blocks;
  if (s > 0) {
    const int kind = (s - 1) / kCellInputs;
    const int index = (s - 1) % kCellInputs;
    const CellInput input = input_of(arch, kind, index);
    for (std::size_t c = 0; c < layout_.places().size(); ++c) {
      if (layout_.places()[c].kind() == kind) {
        std::ranges::move(layout_.edge(c, index / 2, input), std::back_inserter(blocks));
      }
    }
    return blocks;
  }
  blocks = layout_.stem();
  for (std::size_t c = 0; c < layout_.places().size(); ++c) {
    std::ranges::move(layout_.preprocess(c), std::back_inserter(blocks));
    blocks.push_back(layout_.sum(c));
    if (layout_.spec().auxiliary && c == layout_.auxiliary_place()) {
      blocks.push_back(layout_.auxiliary_head());
    }
  }
  blocks.push_back(layout_.classifier());
  return blocks;
}

int CellSpace::add_cell(Graph& g, const Arch& arch, std::size_t c, std::array<int, 2> from,
                        bool drops_paths) const {
  const std::array<Block, 2> fit = layout_.preprocess(c);
  std::vector<int> states{lower_onto(g, from[0], fit[0]), lower_onto(g, from[1], fit[1])};
  for (int node = 0; node < kCellNodes; ++node) {
    std::array<int, 2> terms{};
    for (int i = 0; i < 2; ++i) {
      const CellInput input = input_of(arch, layout_.places()[c].kind(), 2 * node + i);
      int& term = terms.at(static_cast<std::size_t>(i));
      term = states[static_cast<std::size_t>(input.source)];
      for (const Block& block : layout_.edge(c, node, input)) {
        term = lower_onto(g, term, block);
      }
      if (drops_paths && input.op != kCellSkip) {
        term = g.drop_path(term);
      }
    }
    states.push_back(g.add(terms[0], terms[1]));
  }
  return g.concat({states.begin() + 2, states.end()});
}

Graph CellSpace::wired(const Arch& arch, bool drops_paths) const {
  check(arch);
  Graph g({task().in_channels, task().input_size, task().input_size});
  std::array<int, 2> states{0, 0};
  for (const Block& block : layout_.stem()) {
    states = {states[1], lower_onto(g, states[1], block)};
  }
  if (layout_.spec().stem == CellStem::kCifar) {
    states[0] = states[1];
  }
  int auxiliary = 0;
  for (std::size_t c = 0; c < layout_.places().size(); ++c) {
    states = {states[1], add_cell(g, arch, c, states, drops_paths)};
    if (layout_.spec().auxiliary && c == layout_.auxiliary_place()) {
      auxiliary = lower_onto(g, states[1], layout_.auxiliary_head());
    }
  }
  const int logits = lower_onto(g, states[1], layout_.classifier());
  if (layout_.spec().auxiliary) {
    g.concat({logits, auxiliary});
  }
  return g;
}

std::vector<float> CellSpace::encode(const Arch& arch) const {
  check(arch);
  std::vector<float> bits(static_cast<std::size_t>(encoding_size()), 0.0F);
  for (int kind = 0; kind < kinds_; ++kind) {
    for (int i = 0; i < kCellInputs; ++i) {
      const CellInput input = input_of(arch, kind, i);
      const int edge = cell_edge(i / 2, input.source);
      bits[static_cast<std::size_t>(kind * kCellBits + edge * 8 + input.op)] = 1.0F;
    }
  }
  return bits;
}

nlohmann::ordered_json CellSpace::to_json(const Arch& arch) const {
  check(arch);
  nlohmann::ordered_json json{{"space", "darts"}};
  for (int kind = 0; kind < kinds_; ++kind) {
    json[kMembers[kind]] = space::to_json(cell(arch, kind));
  }
  return json;
}

Arch CellSpace::from_json(const nlohmann::json& json, const std::string& where) const {
  if (!json.is_object()) {
    throw Error(where + ": expected cells, a JSON object such as " + to_json(largest()).dump() +
                ", got " + std::string(json.type_name()));
  }
  Arch arch = smallest();
  for (const auto& [key, member] : json.items()) {
    const auto kind = std::find(std::begin(kMembers), std::end(kMembers), key) - kMembers;
    if (kind < 2) {
      const Cell given = cell_from_json(member, where + ": \"" + key + "\"");
      if (kind < kinds_) {
        set_cell(arch, static_cast<int>(kind), given);
      }
    } else if (key == "space") {
      if (member != "darts") {
        throw Error(where + ": is an arch of space " + member.dump() +
                    ", expected \"darts\"; name its own with --space");
      }
    } else if (key == "r") {
      if (member != task().input_size) {
        throw Error(where + ": \"r\" must be " + std::to_string(task().input_size) + ", got " +
                    member.dump());
      }
    } else {
      throw Error(where + ": unknown key \"" + key + "\" for cells");
    }
  }
  for (int kind = 0; kind < kinds_; ++kind) {
    if (!json.contains(kMembers[kind])) {
      throw Error(where + ": missing list \"" + kMembers[kind] + "\" of the cells of " + name());
    }
  }
  return arch;
}

const CellSpace& as_cells(const Space& space) {
  const auto* cells = dynamic_cast<const CellSpace*>(&space);
  if (cells == nullptr) {
    throw std::invalid_argument("[space::cells] space must be one of cells, got " + space.name());
  }
  return *cells;
}

}  // namespace

bool has_cells(const Space& space) { return dynamic_cast<const CellSpace*>(&space) != nullptr; }

const CellSpec& cell_spec(const Space& space) { return as_cells(space).layout().spec(); }

std::vector<Cell> cells_of(const Space& space, const Arch& arch) {
  const CellSpace& of = as_cells(space);
  of.check(arch);
  std::vector<Cell> cells;
  for (int kind = 0; kind < of.layout().kinds(); ++kind) {
    cells.push_back(of.cell(arch, kind));
  }
  return cells;
}

Arch arch_of(const Space& space, std::span<const Cell> cells) {
  const CellSpace& of = as_cells(space);
  if (cells.size() != static_cast<std::size_t>(of.layout().kinds())) {
    throw std::invalid_argument("[space::arch_of] " + space.name() + " has " +
                                std::to_string(of.layout().kinds()) + " kinds of cells, got " +
                                std::to_string(cells.size()));
  }
  Arch arch = space.smallest();
  for (std::size_t kind = 0; kind < cells.size(); ++kind) {
    of.set_cell(arch, static_cast<int>(kind), cells[kind]);
  }
  return arch;
}

std::unique_ptr<Space> without_auxiliary_head(const Space& space) {
  CellSpec spec = cell_spec(space);
  spec.auxiliary = false;
  constexpr std::string_view kSuffix = "_aux";
  if (spec.name.ends_with(kSuffix)) {
    spec.name.resize(spec.name.size() - kSuffix.size());
  }
  return make_cell_space(std::move(spec));
}

std::unique_ptr<Space> make_cell_space(CellSpec spec) {
  return std::make_unique<CellSpace>(std::move(spec));
}

}  // namespace lathe::space
