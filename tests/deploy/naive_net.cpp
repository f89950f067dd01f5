#include "deploy/naive_net.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace lathe::testing {
namespace {

using graph::Activation;
using graph::Node;
using graph::Op;
using graph::Shape;

/// Activations of one image.
struct Map {
  Shape shape;
  std::vector<double> values;
  double& at(int c, int y, int x) {
    return values[static_cast<std::size_t>((c * shape.height + y) * shape.width + x)];
  }
  double at(int c, int y, int x) const { return const_cast<Map*>(this)->at(c, y, x); }
  bool inside(int y, int x) const {
    return y >= 0 && y < shape.height && x >= 0 && x < shape.width;
  }
};

double parameter(const graph::Net& net, const Node& node, const char* suffix, std::int64_t index) {
  return net.weights.at(node.name + suffix).values.at(static_cast<std::size_t>(index));
}

double convolve(const graph::Net& net, const Node& node, const Map& in, int c, int y, int x) {
  const int in_per_group = in.shape.channels / node.groups;
  const int group = c / (node.shape.channels / node.groups);
  double sum = node.bias ? parameter(net, node, ".bias", c) : 0.0;
  for (int i = 0; i < in_per_group; ++i) {
    for (int ky = 0; ky < node.kernel; ++ky) {
      for (int kx = 0; kx < node.kernel; ++kx) {
        const int sy = y * node.stride - node.padding + ky * node.dilation;
        const int sx = x * node.stride - node.padding + kx * node.dilation;
        if (in.inside(sy, sx)) {
          const std::int64_t w = ((c * in_per_group + i) * node.kernel + ky) * node.kernel + kx;
          sum += parameter(net, node, ".weight", w) * in.at(group * in_per_group + i, sy, sx);
        }
      }
    }
  }
  return sum;
}

double pool(const Node& node, const Map& in, int c, int y, int x) {
  double sum = 0.0;
  double largest = -std::numeric_limits<double>::infinity();
  int count = 0;
  for (int ky = 0; ky < node.kernel; ++ky) {
    for (int kx = 0; kx < node.kernel; ++kx) {
      const int sy = y * node.stride - node.padding + ky;
      const int sx = x * node.stride - node.padding + kx;
      if (in.inside(sy, sx)) {
        sum += in.at(c, sy, sx);
        largest = std::max(largest, in.at(c, sy, sx));
        ++count;
      }
    }
  }
  return node.op == Op::kMaxPool ? largest : sum / count;
}

double normalise(const graph::Net& net, const Node& node, double value, int c) {
  return (value - parameter(net, node, ".running_mean", c)) /
             std::sqrt(parameter(net, node, ".running_var", c) + node.eps) *
             parameter(net, node, ".weight", c) +
         parameter(net, node, ".bias", c);
}

double activate(Activation activation, double x) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kRelu6:
      return std::clamp(x, 0.0, 6.0);
    case Activation::kHSwish:
      return x * std::clamp(x + 3.0, 0.0, 6.0) / 6.0;
    case Activation::kHSigmoid:
      return std::clamp(x + 3.0, 0.0, 6.0) / 6.0;
  }
  return x;
}

double global_mean(const Map& in, int c) {
  double sum = 0.0;
  for (int y = 0; y < in.shape.height; ++y) {
    for (int x = 0; x < in.shape.width; ++x) {
      sum += in.at(c, y, x);
    }
  }
  return sum / (in.shape.height * in.shape.width);
}

double product(const graph::Net& net, const Node& node, const Map& in, int c) {
  double sum = node.bias ? parameter(net, node, ".bias", c) : 0.0;
  for (int i = 0; i < in.shape.channels; ++i) {
    sum += parameter(net, node, ".weight", c * in.shape.channels + i) * in.at(i, 0, 0);
  }
  return sum;
}

double joined(const std::vector<const Map*>& inputs, int c, int y, int x) {
  std::size_t which = 0;
  while (c >= inputs[which]->shape.channels) {
    c -= inputs[which++]->shape.channels;
  }
  return inputs[which]->at(c, y, x);
}

double element(const graph::Net& net, const Node& node, const std::vector<const Map*>& inputs,
               int c, int y, int x) {
  const Map& in = *inputs[0];
  switch (node.op) {
    case Op::kConv:
      return convolve(net, node, in, c, y, x);
    case Op::kBatchNorm:
      return normalise(net, node, in.at(c, y, x), c);
    case Op::kActivation:
      return activate(node.activation, in.at(c, y, x));
    case Op::kMaxPool:
    case Op::kAvgPool:
      return pool(node, in, c, y, x);
    case Op::kGlobalAvgPool:
      return global_mean(in, c);
    case Op::kLinear:
      return product(net, node, in, c);
    case Op::kAdd:
      return in.at(c, y, x) + inputs[1]->at(c, y, x);
    case Op::kMul:
      return in.at(c, y, x) * inputs[1]->at(c, 0, 0);
    case Op::kConcat:
      return joined(inputs, c, y, x);
    case Op::kInput:
    case Op::kDropout:
      break;
  }
  return in.at(c, y, x);
}

Map forward_image(const graph::Net& net, Map image) {
  std::vector<Map> maps{std::move(image)};
  for (int i = 1; i < net.graph.size(); ++i) {
    const Node& node = net.graph[i];
    Map out{node.shape, std::vector<double>(static_cast<std::size_t>(node.shape.size()))};
    std::vector<const Map*> inputs;
    for (int input : node.inputs) {
      inputs.push_back(&maps[static_cast<std::size_t>(input)]);
    }
    for (int c = 0; c < node.shape.channels; ++c) {
      for (int y = 0; y < node.shape.height; ++y) {
        for (int x = 0; x < node.shape.width; ++x) {
          out.at(c, y, x) = element(net, node, inputs, c, y, x);
        }
      }
    }
    maps.push_back(std::move(out));
  }
  return std::move(maps.back());
}

}  // namespace

FloatTensor naive_forward(const graph::Net& net, const FloatTensor& input) {
  const Shape in = net.graph.input_shape();
  const Shape out = net.graph.output_shape();
  const std::int64_t batch = input.shape[0];
  FloatTensor output{{batch, out.channels}, {}};
  if (out.height != 1 || out.width != 1) {
    output.shape = {batch, out.channels, out.height, out.width};
  }
  for (std::int64_t n = 0; n < batch; ++n) {
    const auto begin = input.values.begin() + n * in.size();
    const Map result = forward_image(net, {in, {begin, begin + in.size()}});
    output.values.insert(output.values.end(), result.values.begin(), result.values.end());
  }
  return output;
}

}  // namespace lathe::testing
