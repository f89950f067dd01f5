#include "lathe/space/families/cell_layout.h"

#include <stdexcept>
#include <utility>

namespace lathe::space {
namespace {

using graph::Activation;
using graph::Shape;

constexpr int kMinCellsToReduce = 3;
constexpr int kSmallestAuxiliaryMap = 7;
constexpr int kLargestAuxiliaryMap = 10;

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

}  // namespace

CellLayout::CellLayout(CellSpec spec) : spec_(std::move(spec)) {
  check();
  add_places();
  if (spec_.auxiliary) {
    const int size = places_[auxiliary_place()].node.height;
    if (kinds() == 1 || size < kSmallestAuxiliaryMap || size > kLargestAuxiliaryMap) {
      throw std::invalid_argument("[space::make_cell_space] " + spec_.name +
                                  ": an auxiliary head needs reduction cells and 7 to 10 pixels "
                                  "after the second, got " +
                                  std::to_string(size));
    }
  }
}

int CellLayout::kinds() const { return spec_.cells < kMinCellsToReduce ? 1 : 2; }

void CellLayout::check() const {
  const auto require = [&](bool ok, const std::string& text, int got) {
    if (!ok) {
      throw std::invalid_argument("[space::make_cell_space] " + spec_.name + ": " + text +
                                  ", got " + std::to_string(got));
    }
  };
  require(spec_.cells > 0, "cells must be > 0", spec_.cells);
  require(spec_.init_channels > 0 && spec_.init_channels % 2 == 0,
          "init_channels must be even and > 0", spec_.init_channels);
  require(spec_.task.in_channels > 0, "in_channels must be > 0", spec_.task.in_channels);
  require(spec_.task.num_classes > 0, "num_classes must be > 0", spec_.task.num_classes);
  const int divisor = (spec_.stem == CellStem::kImagenet ? 8 : 1) * (kinds() == 2 ? 4 : 1);
  require(spec_.task.input_size > 0 && spec_.task.input_size % divisor == 0,
          "input_size must be a multiple of " + std::to_string(divisor), spec_.task.input_size);
}

void CellLayout::add_places() {
  const std::vector<Block> start = stem();
  Shape last = start.back().output;
  Shape before_last = spec_.stem == CellStem::kCifar ? last : start[start.size() - 2].output;
  int channels = spec_.init_channels;
  for (int c = 0; c < spec_.cells; ++c) {
    const bool reduction = kinds() == 2 && (c == spec_.cells / 3 || c == 2 * spec_.cells / 3);
    channels *= reduction ? 2 : 1;
    const int size = reduction ? last.height / 2 : last.height;
    const Shape node{channels, size, size};
    places_.push_back({before_last, last, node, reduction});
    before_last = last;
    last = {kCellNodes * channels, size, size};
  }
}

std::vector<Block> CellLayout::stem() const {
  const Shape input{spec_.task.in_channels, spec_.task.input_size, spec_.task.input_size};
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

std::array<Block, 2> CellLayout::preprocess(std::size_t c) const {
  const CellPlace& place = places_[c];
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

std::vector<Block> CellLayout::edge(std::size_t c, int node, const CellInput& input) const {
  const CellPlace& place = places_[c];
  const bool strided = place.reduction && input.source < 2;
  if (input.op == kCellSkip && !strided) {
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

Block CellLayout::sum(std::size_t c) const {
  const Shape& node = places_[c].node;
  return {.kind = BlockKind::kCellSum,
          .name = "cells." + std::to_string(c) + ".sum",
          .input = node,
          .output = {kCellNodes * node.channels, node.height, node.width}};
}

Block CellLayout::auxiliary_head() const {
  const Shape input = sum(auxiliary_place()).output;
  return {.kind = BlockKind::kAuxiliaryHead,
          .name = "auxiliary",
          .input = input,
          .output = {spec_.task.num_classes, 1, 1},
          .stride = input.height == kSmallestAuxiliaryMap ? 2 : 3,
          .batch_norm = spec_.stem == CellStem::kCifar};
}

Block CellLayout::classifier() const {
  return {.kind = BlockKind::kClassifier,
          .name = "classifier",
          .input = sum(places_.size() - 1).output,
          .output = {spec_.task.num_classes, 1, 1}};
}

}  // namespace lathe::space
