#include "lathe/space/families/chain_family.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "lathe/space/families/channels.h"

namespace lathe::space {
namespace {

using graph::Activation;
using graph::Graph;
using graph::Shape;

constexpr int kPoolKernel = 3;

/// An addition behind a convolution; that of an mbconv is a part of its block.
bool adds(const ChainLayer& layer) {
  return layer.shortcut_from >= 0 && layer.kind == ChainLayerKind::kConv;
}

bool projects(const ChainLayer& layer) { return adds(layer) && !layer.widths.empty(); }

void check_layer(const ChainSpec& spec, int index) {
  const auto require = [&](bool ok, const std::string& text) {
    if (!ok) {
      throw std::invalid_argument("[space::make_chain_space] " + spec.name + ": layer " +
                                  std::to_string(index) + " " + text);
    }
  };
  const ChainLayer& layer = spec.layers[static_cast<std::size_t>(index)];
  require(layer.stride > 0 && layer.pool > 0, "needs strides >= 1");
  require(layer.kernel > 0 && layer.kernel % 2 == 1, "needs an odd kernel");
  require(layer.expansion >= 1, "needs an expansion >= 1");
  require(
      layer.shortcut_from >= -1 && layer.shortcut_from < index,
      "can only add the output of an earlier layer, got " + std::to_string(layer.shortcut_from));
  const bool shares = layer.shortcut_from >= 0 && layer.widths.empty();
  require(shares || (!layer.widths.empty() && layer.widths.front() >= 1), "needs widths >= 1");
  for (std::size_t i = 1; i < layer.widths.size(); ++i) {
    require(layer.widths[i - 1] < layer.widths[i], "needs ascending widths");
  }
  if (layer.shortcut_from < 0) {
    return;
  }
  require(layer.kind != ChainLayerKind::kSeparable, "is separable and can't have a shortcut");
  require(layer.kind != ChainLayerKind::kMbconv || (shares && layer.shortcut_from == index - 1),
          "is an mbconv: its shortcut comes from the layer before, whose width it shares");
  for (int i = layer.shortcut_from + 1; shares && i <= index; ++i) {
    const ChainLayer& between = spec.layers[static_cast<std::size_t>(i)];
    require(between.stride == 1 && (i == index || between.pool == 1),
            "shares the width of layer " + std::to_string(layer.shortcut_from) +
                ", but there is a stride between them; give it widths of its own");
  }
}

void check_spec(const ChainSpec& spec) {
  if (spec.layers.empty()) {
    throw std::invalid_argument("[space::make_chain_space] " + spec.name + ": needs a layer");
  }
  for (int i = 0; i < static_cast<int>(spec.layers.size()); ++i) {
    check_layer(spec, i);
  }
}

class ChainSpace final : public Space {
 public:
  explicit ChainSpace(ChainSpec spec) : Space(spec.name, spec.task), spec_(std::move(spec)) {
    check_spec(spec_);
    sizes_.push_back(task().input_size);
    for (const ChainLayer& layer : spec_.layers) {
      sizes_.push_back(graph::strided(graph::strided(sizes_.back(), layer.stride), layer.pool));
      add_decision(layer);
    }
    for (int i = 0; i < num_layers(); ++i) {
      if (projects(layer(i))) {
        add_edge({.layer = i, .projection = true}, layer(i).shortcut_from, i);
      }
      add_edge({.layer = i}, i - 1, i);
    }
    add_edge({.layer = num_layers()}, num_layers() - 1, num_layers() - 1);
  }

  bool alive(const Arch& /*arch*/, int /*i*/) const override { return true; }

  double log10_num_nets() const override {
    double total = 0;
    for (const Decision& decision : decisions()) {
      total += std::log10(static_cast<double>(decision.num_choices()));
    }
    return total;
  }

  std::vector<int> elastic_kernels() const override { return {}; }

  bool is_chain() const override {
    for (const ChainLayer& layer : spec_.layers) {
      if (adds(layer)) {
        return false;
      }
    }
    return true;
  }

  Graph graph(const Arch& arch) const override {
    check(arch);
    Graph g(shape_behind(arch, -1));
    int x = 0;
    std::vector<int> outputs;  // of the layers
    for (int i = 0; i < num_layers(); ++i) {
      int shortcut = 0;
      if (adds(layer(i))) {
        shortcut = outputs[static_cast<std::size_t>(layer(i).shortcut_from)];
        shortcut = projects(layer(i)) ? lower_onto(g, shortcut, projection(arch, i)) : shortcut;
      }
      for (const Block& block : layer_blocks(arch, i)) {
        x = block.kind == BlockKind::kShortcutSum
                ? g.activation(g.add(x, shortcut), block.activation)
                : lower_onto(g, x, block);
      }
      outputs.push_back(x);
    }
    lower_onto(g, x, classifier(arch));
    return g;
  }

 protected:
  std::vector<Block> slot_blocks(const Arch& arch, int s) const override {
    const Edge& edge = edges_[static_cast<std::size_t>(s)];
    if (edge.layer == num_layers()) {
      return {classifier(arch)};
    }
    return edge.projection ? std::vector<Block>{projection(arch, edge.layer)}
                           : layer_blocks(arch, edge.layer);
  }

 private:
  /// What a slot is of.
  struct Edge {
    int layer = 0;            ///< the number of layers: the classifier
    bool projection = false;  ///< the 1x1 convolution on the layer's shortcut
  };

  int num_layers() const { return static_cast<int>(spec_.layers.size()); }
  const ChainLayer& layer(int i) const { return spec_.layers[static_cast<std::size_t>(i)]; }
  int decision_of(int i) const { return decision_of_[static_cast<std::size_t>(i)]; }

  void add_decision(const ChainLayer& layer) {
    if (layer.widths.empty()) {
      decision_of_.push_back(decision_of(layer.shortcut_from));
      return;
    }
    const auto index = static_cast<int>(decisions_.size());
    decision_of_.push_back(index);
    decisions_.push_back({"widths", index, layer.widths});
    genes_.push_back({index});
  }

  /// `from` and `to`: the layers whose widths are at its ends; -1: the net's input.
  void add_edge(Edge edge, int from, int to) {
    edges_.push_back(edge);
    const int own = decision_of(to);
    const int before = from < 0 ? own : decision_of(from);
    slots_.push_back({before == own
                          ? std::vector<int>{own}
                          : std::vector<int>{std::min(before, own), std::max(before, own)}});
  }

  /// What layer `i` gives, its pool included; -1: the net's input.
  Shape shape_behind(const Arch& arch, int i) const {
    const int size = sizes_[static_cast<std::size_t>(i + 1)];
    return {i < 0 ? task().in_channels : static_cast<int>(value(arch, decision_of(i))), size, size};
  }

  static std::string name_of(int i) { return i == 0 ? "stem" : "layers." + std::to_string(i); }

  static BlockKind block_kind(ChainLayerKind kind) {
    switch (kind) {
      case ChainLayerKind::kConv:
        return BlockKind::kConv;
      case ChainLayerKind::kSeparable:
        return BlockKind::kSeparableConv;
      case ChainLayerKind::kMbconv:
        return BlockKind::kMbconv;
    }
    throw std::invalid_argument("[space::make_chain_space] unknown kind of layer");
  }

  std::vector<Block> layer_blocks(const Arch& arch, int i) const {
    const ChainLayer& l = layer(i);
    const Shape input = shape_behind(arch, i - 1);
    const Shape output = shape_behind(arch, i);
    const int size = graph::strided(input.height, l.stride);
    const Shape mapped{output.channels, size, size};
    const bool mbconv = l.kind == ChainLayerKind::kMbconv;
    std::vector<Block> blocks{
        {.kind = block_kind(l.kind),
         .name = name_of(i),
         .input = input,
         .output = mapped,
         .kernel = l.kernel,
         .stride = l.stride,
         .mid_channels = mbconv ? make_divisible(std::round(input.channels * l.expansion)) : 0,
         .residual = mbconv && l.shortcut_from >= 0,
         .activation = adds(l) ? Activation::kNone : l.activation}};
    if (adds(l)) {
      blocks.push_back({.kind = BlockKind::kShortcutSum,
                        .name = name_of(i) + ".sum",
                        .input = mapped,
                        .output = mapped,
                        .activation = l.activation});
    }
    if (l.pool > 1) {
      blocks.push_back({.kind = BlockKind::kMaxPool,
                        .name = name_of(i) + ".pool",
                        .input = mapped,
                        .output = output,
                        .kernel = kPoolKernel,
                        .stride = l.pool});
    }
    return blocks;
  }

  Block projection(const Arch& arch, int i) const {
    const Shape input = shape_behind(arch, layer(i).shortcut_from);
    const int size = graph::strided(sizes_[static_cast<std::size_t>(i)], layer(i).stride);
    int stride = layer(i).stride;
    for (int between = layer(i).shortcut_from + 1; between < i; ++between) {
      stride *= layer(between).stride * layer(between).pool;
    }
    return {.kind = BlockKind::kConv,
            .name = name_of(i) + ".shortcut",
            .input = input,
            .output = {shape_behind(arch, i).channels, size, size},
            .stride = stride};
  }

  Block classifier(const Arch& arch) const {
    return {.kind = BlockKind::kClassifier,
            .name = "classifier",
            .input = shape_behind(arch, num_layers() - 1),
            .output = {task().num_classes, 1, 1}};
  }

  ChainSpec spec_;
  std::vector<int> sizes_;        // of the map before each layer, and behind the last
  std::vector<int> decision_of_;  // of each layer's width
  std::vector<Edge> edges_;       // of each slot
};

}  // namespace

std::unique_ptr<Space> make_chain_space(ChainSpec spec) {
  return std::make_unique<ChainSpace>(std::move(spec));
}

}  // namespace lathe::space
