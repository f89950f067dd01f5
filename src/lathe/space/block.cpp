#include "lathe/space/block.h"

#include <sstream>
#include <stdexcept>

#include "lathe/graph/activation_name.h"
#include "lathe/space/families/channels.h"

namespace lathe::space {
namespace {

using graph::Activation;
using graph::Graph;

const char* text(BlockKind kind) {
  switch (kind) {
    case BlockKind::kConv:
      return "conv";
    case BlockKind::kResidualConv:
      return "residual_conv";
    case BlockKind::kSeparableConv:
      return "separable_conv";
    case BlockKind::kMbconv:
      return "mbconv";
    case BlockKind::kBottleneck:
      return "bottleneck";
    case BlockKind::kMaxPool:
      return "max_pool";
    case BlockKind::kAvgPool:
      return "avg_pool";
    case BlockKind::kGlobalPool:
      return "global_pool";
    case BlockKind::kClassifier:
      return "classifier";
    case BlockKind::kShortcutSum:
      return "shortcut_sum";
    case BlockKind::kReluConv:
      return "relu_conv";
    case BlockKind::kFactorizedReduce:
      return "factorized_reduce";
    case BlockKind::kSepConv:
      return "sep_conv";
    case BlockKind::kDilConv:
      return "dil_conv";
    case BlockKind::kCellSum:
      return "cell_sum";
    case BlockKind::kAuxiliaryHead:
      return "auxiliary_head";
  }
  return "";
}

std::string text(const graph::Shape& s) {
  return std::to_string(s.height) + "x" + std::to_string(s.width) + "x" +
         std::to_string(s.channels);
}

int conv_norm(Graph& g, int x, const std::string& name, const Graph::ConvOptions& options,
              double eps) {
  return g.batch_norm(g.conv(x, name + ".conv", options), name + ".bn", eps);
}

int lower_conv(Graph& g, int x, const Block& b) {
  const Graph::ConvOptions options{
      .out_channels = b.output.channels, .kernel = b.kernel, .stride = b.stride};
  const int y = b.batch_norm ? conv_norm(g, x, b.name, options, b.batch_norm_eps)
                             : g.conv(x, b.name + ".conv", options);
  const int activated = g.activation(y, b.activation);
  return b.kind == BlockKind::kResidualConv ? g.add(activated, x) : activated;
}

int depthwise(Graph& g, int x, const Block& b) {
  const int channels = g[x].shape.channels;
  const int y = conv_norm(
      g, x, b.name + ".depthwise",
      {.out_channels = channels, .kernel = b.kernel, .stride = b.stride, .groups = channels},
      b.batch_norm_eps);
  return g.activation(y, b.activation);
}

int lower_separable_conv(Graph& g, int x, const Block& b) {
  const int y = conv_norm(g, depthwise(g, x, b), b.name + ".pointwise",
                          {.out_channels = b.output.channels}, b.batch_norm_eps);
  return g.activation(y, b.activation);
}

int squeeze_excite(Graph& g, int x, const Block& b) {
  int gate = g.global_avg_pool(x);
  gate = g.conv(gate, b.name + ".se.reduce",
                {.out_channels = make_divisible(b.mid_channels / 4), .bias = true});
  gate = g.activation(gate, Activation::kRelu);
  gate = g.conv(gate, b.name + ".se.expand", {.out_channels = b.mid_channels, .bias = true});
  return g.mul(x, g.activation(gate, Activation::kHSigmoid));
}

int lower_mbconv(Graph& g, int x, const Block& b) {
  int y = x;
  if (b.mid_channels != b.input.channels) {
    y = conv_norm(g, y, b.name + ".expand", {.out_channels = b.mid_channels}, b.batch_norm_eps);
    y = g.activation(y, b.activation);
  }
  y = depthwise(g, y, b);
  if (b.squeeze_excite) {
    y = squeeze_excite(g, y, b);
  }
  y = conv_norm(g, y, b.name + ".project", {.out_channels = b.output.channels}, b.batch_norm_eps);
  return b.residual ? g.add(y, x) : y;
}

int lower_bottleneck(Graph& g, int x, const Block& b) {
  int y = conv_norm(g, x, b.name + ".reduce", {.out_channels = b.mid_channels}, b.batch_norm_eps);
  y = g.activation(y, b.activation);
  y = conv_norm(g, y, b.name + ".middle",
                {.out_channels = b.mid_channels, .kernel = b.kernel, .stride = b.stride},
                b.batch_norm_eps);
  y = g.activation(y, b.activation);
  y = conv_norm(g, y, b.name + ".project", {.out_channels = b.output.channels}, b.batch_norm_eps);
  int shortcut = x;
  if (!b.residual) {
    if (b.stride > 1) {
      shortcut = g.avg_pool(shortcut, b.stride, b.stride, 0, /*ceil_mode=*/true);
    }
    shortcut = conv_norm(g, shortcut, b.name + ".shortcut", {.out_channels = b.output.channels},
                         b.batch_norm_eps);
  }
  return g.activation(g.add(y, shortcut), b.activation);
}

int lower_relu_conv(Graph& g, int x, const Block& b) {
  return conv_norm(g, g.activation(x, Activation::kRelu), b.name,
                   {.out_channels = b.output.channels, .kernel = b.kernel, .stride = b.stride},
                   b.batch_norm_eps);
}

int lower_factorized_reduce(Graph& g, int x, const Block& b) {
  const int even_channels = b.output.channels / 2;
  x = g.activation(x, Activation::kRelu);
  const int even = g.conv(x, b.name + ".even", {.out_channels = even_channels, .stride = b.stride});
  const int odd = g.conv(g.crop(x, 1), b.name + ".odd",
                         {.out_channels = b.output.channels - even_channels, .stride = b.stride});
  return g.batch_norm(g.concat({even, odd}), b.name + ".bn", b.batch_norm_eps);
}

/// ReLU, depthwise, 1x1, batch norm.
int relu_separable(Graph& g, int x, const std::string& name, int out_channels,
                   const Graph::ConvOptions& depthwise, double eps) {
  x = g.conv(g.activation(x, Activation::kRelu), name + ".depthwise", depthwise);
  return g.batch_norm(g.conv(x, name + ".pointwise", {.out_channels = out_channels}), name + ".bn",
                      eps);
}

int lower_sep_conv(Graph& g, int x, const Block& b) {
  const int channels = b.input.channels;
  Graph::ConvOptions options{
      .out_channels = channels, .kernel = b.kernel, .stride = b.stride, .groups = channels};
  const int y = relu_separable(g, x, b.name + ".0", channels, options, b.batch_norm_eps);
  options.stride = 1;
  return relu_separable(g, y, b.name + ".1", b.output.channels, options, b.batch_norm_eps);
}

int lower_dil_conv(Graph& g, int x, const Block& b) {
  return relu_separable(g, x, b.name, b.output.channels,
                        {.out_channels = b.input.channels,
                         .kernel = b.kernel,
                         .stride = b.stride,
                         .groups = b.input.channels,
                         .dilation = 2},
                        b.batch_norm_eps);
}

/// Alone, without the states that a cell's nodes add up, every term is the input.
int lower_cell_sum(Graph& g, int x, const Block& b) {
  std::vector<int> nodes;
  for (int n = 0; n < b.output.channels / b.input.channels; ++n) {
    nodes.push_back(g.add(x, x));
  }
  return g.concat(nodes);
}

int lower_auxiliary_head(Graph& g, int x, const Block& b) {
  constexpr int kPool = 5;
  constexpr int kMid = 128;
  constexpr int kFeatures = 768;
  x = g.activation(x, Activation::kRelu);
  x = g.avg_pool(x, kPool, b.stride, 0, /*ceil_mode=*/false);
  x = conv_norm(g, x, b.name + ".0", {.out_channels = kMid}, b.batch_norm_eps);
  x = g.activation(x, Activation::kRelu);
  const Graph::ConvOptions options{.out_channels = kFeatures, .kernel = 2, .padding = 0};
  x = b.batch_norm ? conv_norm(g, x, b.name + ".1", options, b.batch_norm_eps)
                   : g.conv(x, b.name + ".1.conv", options);
  x = g.activation(x, Activation::kRelu);
  return g.linear(x, b.name + ".linear", b.output.channels, /*bias=*/true);
}

int lower_block(Graph& g, int x, const Block& b) {
  switch (b.kind) {
    case BlockKind::kConv:
    case BlockKind::kResidualConv:
      return lower_conv(g, x, b);
    case BlockKind::kSeparableConv:
      return lower_separable_conv(g, x, b);
    case BlockKind::kMbconv:
      return lower_mbconv(g, x, b);
    case BlockKind::kBottleneck:
      return lower_bottleneck(g, x, b);
    case BlockKind::kMaxPool:
      return g.max_pool(x, b.kernel, b.stride, b.kernel / 2);
    case BlockKind::kAvgPool:
      return g.avg_pool(x, b.kernel, b.stride, b.kernel / 2, /*ceil_mode=*/false);
    case BlockKind::kGlobalPool:
      return g.global_avg_pool(x);
    case BlockKind::kClassifier:
      if (b.input.height > 1 || b.input.width > 1) {
        x = g.global_avg_pool(x);
      }
      if (b.dropout > 0) {
        x = g.dropout(x, b.dropout);
      }
      return g.linear(x, b.name + ".linear", b.output.channels, /*bias=*/true);
    case BlockKind::kShortcutSum:  // alone, without the other map, twice the input
      return g.activation(g.add(x, x), b.activation);
    case BlockKind::kReluConv:
      return lower_relu_conv(g, x, b);
    case BlockKind::kFactorizedReduce:
      return lower_factorized_reduce(g, x, b);
    case BlockKind::kSepConv:
      return lower_sep_conv(g, x, b);
    case BlockKind::kDilConv:
      return lower_dil_conv(g, x, b);
    case BlockKind::kCellSum:
      return lower_cell_sum(g, x, b);
    case BlockKind::kAuxiliaryHead:
      return lower_auxiliary_head(g, x, b);
  }
  throw std::invalid_argument("[space::lower] unknown block kind");
}

}  // namespace

std::string Block::key() const {
  std::ostringstream out;
  out << text(kind) << ' ' << text(input) << " -> " << text(output);
  if (mid_channels > 0) {
    out << " mid " << mid_channels;
  }
  if (kind != BlockKind::kGlobalPool && kind != BlockKind::kClassifier &&
      kind != BlockKind::kShortcutSum) {
    out << " k" << kernel << " s" << stride;
  }
  if (squeeze_excite) {
    out << " se";
  }
  if (residual) {
    out << " residual";
  }
  if (!batch_norm) {
    out << " no_bn";
  }
  if (activation != Activation::kNone) {
    out << ' ' << graph::activation_name(activation);
  }
  return out.str();
}

int lower_onto(Graph& g, int from, const Block& block) {
  if (g[from].shape != block.input) {
    throw std::invalid_argument("[space::lower] " + block.name + " expects input " +
                                text(block.input) + ", got " + text(g[from].shape));
  }
  const int to = lower_block(g, from, block);
  if (g[to].shape != block.output) {
    throw std::invalid_argument("[space::lower] " + block.name + " promises output " +
                                text(block.output) + ", gives " + text(g[to].shape));
  }
  return to;
}

graph::Graph lower(std::span<const Block> blocks) {
  if (blocks.empty()) {
    throw std::invalid_argument("[space::lower] a net needs at least one block");
  }
  Graph g(blocks.front().input);
  int x = 0;
  for (const Block& block : blocks) {
    x = lower_onto(g, x, block);
  }
  return g;
}

}  // namespace lathe::space
