#include "lathe/space/families/cell_search.h"

#include <array>
#include <cstddef>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include "lathe/space/families/cell_layout.h"

namespace lathe::space {
namespace {

using graph::Graph;
using graph::Op;

constexpr double kEps = 1e-5;
const char* const kCells = "cells.";

bool is_pool(BlockKind kind) { return kind == BlockKind::kMaxPool || kind == BlockKind::kAvgPool; }

/// `net` with one activation where several read the same node, and with batch norm that isn't
/// affine in cells.
CellSearchNet finished(const CellSearchNet& net) {
  CellSearchNet to{Graph(net.graph.input_shape()), {}};
  std::vector<int> moved{0};
  std::map<std::pair<int, graph::Activation>, int> activations;
  for (int i = 1; i < net.graph.size(); ++i) {
    graph::Node node = net.graph[i];
    for (int& input : node.inputs) {
      input = moved[static_cast<std::size_t>(input)];
    }
    if (node.op == Op::kActivation) {
      const auto known = activations.find({node.inputs[0], node.activation});
      if (known != activations.end()) {
        moved.push_back(known->second);
        continue;
      }
      activations[{node.inputs[0], node.activation}] = to.graph.size();
    }
    node.affine = !(node.op == Op::kBatchNorm && node.name.starts_with(kCells));
    moved.push_back(to.graph.append(std::move(node)));
  }
  for (CellMixture mixture : net.mixtures) {
    mixture.node = moved[static_cast<std::size_t>(mixture.node)];
    to.mixtures.push_back(std::move(mixture));
  }
  return to;
}

class Builder {
 public:
  Builder(const CellLayout& layout, const CellSearchOptions& options)
      : layout_(layout),
        parts_(options.channel_parts),
        auxiliary_skips_(options.auxiliary_skips),
        net_{Graph({layout.spec().task.in_channels, layout.spec().task.input_size,
                    layout.spec().task.input_size}),
             {}} {}

  CellSearchNet build() {
    std::array<int, 2> states{0, 0};
    for (const Block& block : layout_.stem()) {
      states = {states[1], lower_onto(net_.graph, states[1], block)};
    }
    if (layout_.spec().stem == CellStem::kCifar) {
      states[0] = states[1];
    }
    for (std::size_t c = 0; c < layout_.places().size(); ++c) {
      states = {states[1], add_cell(c, states)};
    }
    lower_onto(net_.graph, states[1], layout_.classifier());
    return finished(net_);
  }

 private:
  /// The part of a state that operations see, and the part that bypasses them.
  struct State {
    int seen = 0;
    int bypass = 0;
  };

  State split(int state) {
    if (parts_ == 1) {
      return {state, state};
    }
    const int channels = net_.graph[state].shape.channels;
    const int seen = channels / parts_;
    return {net_.graph.slice(state, 0, seen), net_.graph.slice(state, seen, channels - seen)};
  }

  /// Operation `op` of an edge, on the part of the state that it sees; its parameters' names end in
  /// `suffix`.
  int add_op(std::size_t c, int node, int source, int op, int seen,
             const std::string& suffix = "") {
    Graph& g = net_.graph;
    for (Block block : layout_.edge(c, node, {op, source})) {
      block.name += suffix;
      block.input.channels /= parts_;
      block.output.channels /= parts_;
      seen = lower_onto(g, seen, block);
      if (is_pool(block.kind)) {
        seen = g.batch_norm(seen, block.name + ".bn", kEps);
      }
    }
    return seen;
  }

  int add_mixture(std::size_t c, const std::string& name, const std::vector<int>& inputs,
                  std::vector<MixedTerm> terms) {
    const int sum = net_.graph.mixed_sum(inputs, name);
    net_.mixtures.push_back({sum, layout_.places()[c].kind(), std::move(terms)});
    return sum;
  }

  /// The sum over the edges into `node`.
  int add_node(std::size_t c, int node, const std::vector<State>& states) {
    Graph& g = net_.graph;
    const std::string name = kCells + std::to_string(c) + ".nodes." + std::to_string(node);
    std::vector<int> seen, bypassing;
    std::vector<MixedTerm> terms, bypass_terms;
    for (int source = 0; source < node + 2; ++source) {
      const State& state = states[static_cast<std::size_t>(source)];
      const int edge = cell_edge(node, source);
      for (int op = 1; op < static_cast<int>(kCellOps.size()); ++op) {
        seen.push_back(add_op(c, node, source, op, state.seen));
        terms.push_back({edge, op});
      }
      if (auxiliary_skips_) {
        seen.push_back(add_op(c, node, source, kCellSkip, state.seen, "_auxiliary"));
        terms.push_back({edge, MixedTerm::kAuxiliarySkip});
      }
      if (parts_ > 1) {
        bypassing.push_back(layout_.strided(c, source) ? g.max_pool(state.bypass, 2, 2, 0)
                                                       : state.bypass);
        bypass_terms.push_back({edge, MixedTerm::kBypass});
      }
    }
    const int sum = add_mixture(c, name + ".mix", seen, std::move(terms));
    if (parts_ == 1) {
      return sum;
    }
    const int rest = add_mixture(c, name + ".bypass", bypassing, std::move(bypass_terms));
    return g.shuffle(g.concat({sum, rest}), parts_);
  }

  int add_cell(std::size_t c, std::array<int, 2> from) {
    const std::array<Block, 2> fit = layout_.preprocess(c);
    std::vector<State> states;
    std::vector<int> nodes;
    for (std::size_t i = 0; i < fit.size(); ++i) {
      states.push_back(split(lower_onto(net_.graph, from.at(i), fit.at(i))));
    }
    for (int node = 0; node < kCellNodes; ++node) {
      nodes.push_back(add_node(c, node, states));
      if (node + 1 < kCellNodes) {
        states.push_back(split(nodes.back()));
      }
    }
    return net_.graph.concat(nodes);
  }

  const CellLayout& layout_;
  int parts_;
  bool auxiliary_skips_;
  CellSearchNet net_;
};

}  // namespace

CellSearchNet cell_search_graph(const CellSpec& spec, const CellSearchOptions& options) {
  if (options.channel_parts < 1 || spec.init_channels % (2 * options.channel_parts) != 0) {
    throw std::invalid_argument(
        "[space::cell_search_graph] channel_parts must divide init_channels " +
        std::to_string(spec.init_channels) + " into even numbers of channels, got " +
        std::to_string(options.channel_parts));
  }
  CellSpec plain = spec;
  plain.auxiliary = false;
  const CellLayout layout(std::move(plain));
  return Builder(layout, options).build();
}

}  // namespace lathe::space
