#include "lathe/space/cell_family.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <stdexcept>
#include <utility>

#include "lathe/core/error.h"

namespace lathe::space {
namespace {

using graph::Activation;
using graph::Graph;
using graph::Shape;

constexpr int kInputs = 2 * kCellNodes;
constexpr int kDecisionsPerCell = 3 * kCellNodes - 1;  // the first node has one pair of sources
constexpr int kMinCellsToReduce = 3;
constexpr int kSmallestAuxiliaryMap = 7;
constexpr int kLargestAuxiliaryMap = 10;
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

/// What the operations after none become; a skip only where it strides.
struct OpBlock {
  BlockKind kind;
  int kernel;
};
constexpr std::array<OpBlock, 7> kOpBlocks{{{BlockKind::kMaxPool, 3},
                                            {BlockKind::kAvgPool, 3},
                                            {BlockKind::kFactorizedReduce, 1},
                                            {BlockKind::kSepConv, 3},
                                            {BlockKind::kSepConv, 5},
                                            {BlockKind::kDilConv, 3},
                                            {BlockKind::kDilConv, 5}}};
constexpr int kSkip = 3;
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
  graph::Graph graph(const Arch& arch) const override;
  std::vector<float> encode(const Arch& arch) const override;
  int encoding_size() const override { return kinds_ * kCellBits; }
  bool encodes_choices() const override { return false; }
  nlohmann::ordered_json to_json(const Arch& arch) const override;
  Arch from_json(const nlohmann::json& json, const std::string& where) const override;

 protected:
  std::vector<Block> slot_blocks(const Arch& arch, int s) const override;

 private:
  /// One cell of the net: what reaches it, and what its nodes give.
  struct Place {
    Shape before_last;
    Shape last;
    Shape node;
    bool reduction = false;
  };

  void check_spec() const;
  void add_decisions(int kind);
  void add_places();

  CellInput input_of(const Arch& arch, int kind, int index) const;
  Cell cell(const Arch& arch, int kind) const;
  void set_cell(Arch& arch, int kind, const Cell& cell) const;

  std::vector<Block> stem() const;
  std::array<Block, 2> preprocess(std::size_t c) const;
  std::vector<Block> edge(std::size_t c, int node, const CellInput& input) const;
  Block sum(std::size_t c) const;
  Block auxiliary_head() const;
  Block classifier() const;
  /// The cell that the auxiliary head follows.
  std::size_t auxiliary_place() const { return 2 * places_.size() / 3; }

  /// Wires cell `c` between the outputs of the two before it.
  int add_cell(Graph& g, const Arch& arch, std::size_t c, std::array<int, 2> from) const;

  CellSpec spec_;
  int kinds_;  // of cells: 2, or 1 without reduction cells
  std::vector<Place> places_;
};

CellSpace::CellSpace(CellSpec spec)
    : Space(spec.name, spec.task),
      spec_(std::move(spec)),
      kinds_(spec_.cells < kMinCellsToReduce ? 1 : 2) {
  check_spec();
  add_places();
  if (spec_.auxiliary) {
    const int size = places_[auxiliary_place()].node.height;
    if (kinds_ == 1 || size < kSmallestAuxiliaryMap || size > kLargestAuxiliaryMap) {
      throw std::invalid_argument("[space::make_cell_space] " + name() +
                                  ": an auxiliary head needs reduction cells and 7 to 10 pixels "
                                  "after the second, got " +
                                  std::to_string(size));
    }
  }
  slots_.push_back({});
  for (int kind = 0; kind < kinds_; ++kind) {
    add_decisions(kind);
  }
}

void CellSpace::check_spec() const {
  const auto require = [&](bool ok, const std::string& text, int got) {
    if (!ok) {
      throw std::invalid_argument("[space::make_cell_space] " + name() + ": " + text + ", got " +
                                  std::to_string(got));
    }
  };
  require(spec_.cells > 0, "cells must be > 0", spec_.cells);
  require(spec_.init_channels > 0 && spec_.init_channels % 2 == 0,
          "init_channels must be even and > 0", spec_.init_channels);
  require(task().in_channels > 0, "in_channels must be > 0", task().in_channels);
  require(task().num_classes > 0, "num_classes must be > 0", task().num_classes);
  const int divisor = (spec_.stem == CellStem::kImagenet ? 8 : 1) * (kinds_ == 2 ? 4 : 1);
  require(task().input_size > 0 && task().input_size % divisor == 0,
          "input_size must be a multiple of " + std::to_string(divisor), task().input_size);
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

void CellSpace::add_places() {
  const std::vector<Block> start = stem();
  Shape last = start.back().output;
  Shape before_last = spec_.stem == CellStem::kCifar ? last : start[start.size() - 2].output;
  int channels = spec_.init_channels;
  for (int c = 0; c < spec_.cells; ++c) {
    const bool reduction = kinds_ == 2 && (c == spec_.cells / 3 || c == 2 * spec_.cells / 3);
    channels *= reduction ? 2 : 1;
    const int size = reduction ? last.height / 2 : last.height;
    const Shape node{channels, size, size};
    places_.push_back({before_last, last, node, reduction});
    before_last = last;
    last = {kCellNodes * channels, size, size};
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
  for (int i = 0; i < kInputs; ++i) {
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

std::vector<Block> CellSpace::stem() const {
  const Shape input{task().in_channels, task().input_size, task().input_size};
  const int channels = spec_.init_channels;
  if (spec_.stem == CellStem::kCifar) {
    return {{.kind = BlockKind::kConv,
             .name = "stem",
             .input = input,
             .output = {3 * channels, input.height, input.width},
             .kernel = 3}};
  }
  const auto conv = [](int i, BlockKind kind, const Shape& in, int out, Activation activation) {
    return Block{.kind = kind,
                 .name = "stem." + std::to_string(i),
                 .input = in,
                 .output = {out, in.height / 2, in.width / 2},
                 .kernel = 3,
                 .stride = 2,
                 .activation = activation};
  };
  std::vector<Block> blocks{conv(0, BlockKind::kConv, input, channels / 2, Activation::kRelu)};
  blocks.push_back(conv(1, BlockKind::kConv, blocks.back().output, channels, Activation::kNone));
  blocks.push_back(
      conv(2, BlockKind::kReluConv, blocks.back().output, channels, Activation::kNone));
  return blocks;
}

std::array<Block, 2> CellSpace::preprocess(std::size_t c) const {
  const Place& place = places_[c];
  const std::string name = "cells." + std::to_string(c) + ".preprocess.";
  const Shape output{place.node.channels, place.last.height, place.last.width};
  const bool halve = place.before_last.height != place.last.height;
  return {
      Block{.kind = halve ? BlockKind::kFactorizedReduce : BlockKind::kReluConv,
            .name = name + "0",
            .input = place.before_last,
            .output = output,
            .stride = halve ? 2 : 1},
      Block{
          .kind = BlockKind::kReluConv, .name = name + "1", .input = place.last, .output = output}};
}

std::vector<Block> CellSpace::edge(std::size_t c, int node, const CellInput& input) const {
  const Place& place = places_[c];
  const bool strided = place.reduction && input.source < 2;
  if (input.op == kSkip && !strided) {
    return {};  // the state itself
  }
  const Shape& from = strided ? place.last : place.node;
  const auto op = static_cast<std::size_t>(input.op);
  const OpBlock& as = kOpBlocks.at(op - 1);
  return {{.kind = as.kind,
           .name = "cells." + std::to_string(c) + ".edges." +
                   std::to_string(cell_edge(node, input.source)) + "." + kCellOps.at(op),
           .input = {place.node.channels, from.height, from.width},
           .output = place.node,
           .kernel = as.kernel,
           .stride = strided ? 2 : 1}};
}

Block CellSpace::sum(std::size_t c) const {
  const Shape& node = places_[c].node;
  return {.kind = BlockKind::kCellSum,
          .name = "cells." + std::to_string(c) + ".sum",
          .input = node,
          .output = {kCellNodes * node.channels, node.height, node.width}};
}

Block CellSpace::auxiliary_head() const {
  const Shape input = sum(auxiliary_place()).output;
  return {.kind = BlockKind::kAuxiliaryHead,
          .name = "auxiliary",
          .input = input,
          .output = {task().num_classes, 1, 1},
          .stride = input.height == kSmallestAuxiliaryMap ? 2 : 3,
          .batch_norm = spec_.stem == CellStem::kCifar};
}

Block CellSpace::classifier() const {
  return {.kind = BlockKind::kClassifier,
          .name = "classifier",
          .input = sum(places_.size() - 1).output,
          .output = {task().num_classes, 1, 1}};
}

std::vector<Block> CellSpace::slot_blocks(const Arch& arch, int s) const {
  std::vector<Block> blocks;
  if (s > 0) {
    const int kind = (s - 1) / kInputs;
    const int index = (s - 1) % kInputs;
    const CellInput input = input_of(arch, kind, index);
    for (std::size_t c = 0; c < places_.size(); ++c) {
      if (places_[c].reduction == (kind == 1)) {
        std::ranges::move(edge(c, index / 2, input), std::back_inserter(blocks));
      }
    }
    return blocks;
  }
  blocks = stem();
  for (std::size_t c = 0; c < places_.size(); ++c) {
    std::ranges::move(preprocess(c), std::back_inserter(blocks));
    blocks.push_back(sum(c));
    if (spec_.auxiliary && c == auxiliary_place()) {
      blocks.push_back(auxiliary_head());
    }
  }
  blocks.push_back(classifier());
  return blocks;
}

int CellSpace::add_cell(Graph& g, const Arch& arch, std::size_t c, std::array<int, 2> from) const {
  const std::array<Block, 2> fit = preprocess(c);
  std::vector<int> states{lower_onto(g, from[0], fit[0]), lower_onto(g, from[1], fit[1])};
  for (int node = 0; node < kCellNodes; ++node) {
    std::array<int, 2> terms{};
    for (int i = 0; i < 2; ++i) {
      const CellInput input = input_of(arch, places_[c].reduction ? 1 : 0, 2 * node + i);
      int& term = terms.at(static_cast<std::size_t>(i));
      term = states[static_cast<std::size_t>(input.source)];
      for (const Block& block : edge(c, node, input)) {
        term = lower_onto(g, term, block);
      }
    }
    states.push_back(g.add(terms[0], terms[1]));
  }
  return g.concat({states.begin() + 2, states.end()});
}

Graph CellSpace::graph(const Arch& arch) const {
  check(arch);
  Graph g({task().in_channels, task().input_size, task().input_size});
  std::array<int, 2> states{0, 0};
  for (const Block& block : stem()) {
    states = {states[1], lower_onto(g, states[1], block)};
  }
  if (spec_.stem == CellStem::kCifar) {
    states[0] = states[1];
  }
  int auxiliary = 0;
  for (std::size_t c = 0; c < places_.size(); ++c) {
    states = {states[1], add_cell(g, arch, c, states)};
    if (spec_.auxiliary && c == auxiliary_place()) {
      auxiliary = lower_onto(g, states[1], auxiliary_head());
    }
  }
  const int logits = lower_onto(g, states[1], classifier());
  if (spec_.auxiliary) {
    g.concat({logits, auxiliary});
  }
  return g;
}

std::vector<float> CellSpace::encode(const Arch& arch) const {
  check(arch);
  std::vector<float> bits(static_cast<std::size_t>(encoding_size()), 0.0F);
  for (int kind = 0; kind < kinds_; ++kind) {
    for (int i = 0; i < kInputs; ++i) {
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

}  // namespace

std::unique_ptr<Space> make_cell_space(CellSpec spec) {
  return std::make_unique<CellSpace>(std::move(spec));
}

}  // namespace lathe::space
