#include "lathe/space/block.h"

#include <sstream>
#include <stdexcept>

#include "lathe/graph/activation_name.h"
#include "lathe/space/channels.h"

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
    case BlockKind::kGlobalPool:
      return "global_pool";
    case BlockKind::kClassifier:
      return "classifier";
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
  if (kind != BlockKind::kGlobalPool && kind != BlockKind::kClassifier) {
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

graph::Graph lower(std::span<const Block> blocks) {
  if (blocks.empty()) {
    throw std::invalid_argument("[space::lower] a net needs at least one block");
  }
  Graph g(blocks.front().input);
  int x = 0;
  for (const Block& block : blocks) {
    if (g[x].shape != block.input) {
      throw std::invalid_argument("[space::lower] " + block.name + " expects input " +
                                  text(block.input) + ", got " + text(g[x].shape));
    }
    x = lower_block(g, x, block);
    if (g[x].shape != block.output) {
      throw std::invalid_argument("[space::lower] " + block.name + " promises output " +
                                  text(block.output) + ", gives " + text(g[x].shape));
    }
  }
  return g;
}

}  // namespace lathe::space
