// What a net computes, by the definition of each operation: plain loops over the graph, in double.
// Slow, and shares nothing with the library's own kernels, folding or shape inference beyond
// reading the graph: an oracle for whatever runs, rewrites or exports a net.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "lathe/core/tensor_map.h"
#include "lathe/graph/fold.h"
#include "lathe/graph/graph.h"

namespace lathe::testing {
namespace naive {

/// Activations of one image, row-major [channels, height, width].
struct Map {
  graph::Shape shape;
  std::vector<double> values;

  explicit Map(const graph::Shape& s) : shape(s), values(static_cast<std::size_t>(s.size())) {}
  double& at(int c, int y, int x) { return values[index(c, y, x)]; }
  double at(int c, int y, int x) const { return values[index(c, y, x)]; }
  bool has(int y, int x) const { return y >= 0 && y < shape.height && x >= 0 && x < shape.width; }
  std::size_t index(int c, int y, int x) const {
    return (static_cast<std::size_t>(c) * static_cast<std::size_t>(shape.height) +
            static_cast<std::size_t>(y)) *
               static_cast<std::size_t>(shape.width) +
           static_cast<std::size_t>(x);
  }
};

/// out(c, y, x) = value(c, y, x), everywhere.
template <typename Value>
Map filled(const graph::Shape& shape, const Value& value) {
  Map out(shape);
  for (int c = 0; c < shape.channels; ++c) {
    for (int y = 0; y < shape.height; ++y) {
      for (int x = 0; x < shape.width; ++x) {
        out.at(c, y, x) = value(c, y, x);
      }
    }
  }
  return out;
}

inline const std::vector<float>& parameter(const graph::Net& net, const graph::Node& node,
                                           const char* suffix) {
  return net.weights.at(node.name + suffix).values;
}

inline double bias_of(const graph::Net& net, const graph::Node& node, int c) {
  return node.bias ? double{parameter(net, node, ".bias").at(static_cast<std::size_t>(c))} : 0.0;
}

inline Map conv(const graph::Net& net, const graph::Node& node, const Map& in) {
  const std::vector<float>& weight = parameter(net, node, ".weight");
  const int fan = in.shape.channels / node.groups;
  const int outputs_per_group = node.shape.channels / node.groups;
  return filled(node.shape, [&](int c, int y, int x) {
    double sum = bias_of(net, node, c);
    for (int i = 0; i < fan; ++i) {
      for (int ky = 0; ky < node.kernel; ++ky) {
        for (int kx = 0; kx < node.kernel; ++kx) {
          const int sy = y * node.stride - node.padding + ky * node.dilation;
          const int sx = x * node.stride - node.padding + kx * node.dilation;
          if (in.has(sy, sx)) {
            const int w = ((c * fan + i) * node.kernel + ky) * node.kernel + kx;
            sum += double{weight.at(static_cast<std::size_t>(w))} *
                   in.at(c / outputs_per_group * fan + i, sy, sx);
          }
        }
      }
    }
    return sum;
  });
}

inline Map batch_norm(const graph::Net& net, const graph::Node& node, const Map& in) {
  const auto& mean = parameter(net, node, ".running_mean");
  const auto& variance = parameter(net, node, ".running_var");
  return filled(node.shape, [&](int c, int y, int x) {
    const auto at = static_cast<std::size_t>(c);
    const double normal =
        (in.at(c, y, x) - double{mean.at(at)}) / std::sqrt(double{variance.at(at)} + node.eps);
    return node.affine ? normal * double{parameter(net, node, ".weight").at(at)} +
                             double{parameter(net, node, ".bias").at(at)}
                       : normal;
  });
}

inline double activated(graph::Activation activation, double x) {
  switch (activation) {
    case graph::Activation::kNone:
      return x;
    case graph::Activation::kRelu:
      return std::max(x, 0.0);
    case graph::Activation::kRelu6:
      return std::clamp(x, 0.0, 6.0);
    case graph::Activation::kHSwish:
      return x * std::clamp(x + 3.0, 0.0, 6.0) / 6.0;
    case graph::Activation::kHSigmoid:
      return std::clamp(x + 3.0, 0.0, 6.0) / 6.0;
  }
  throw std::logic_error("unknown activation");
}

/// Maximum or mean of the part of the window that lies on the map.
inline Map pool(const graph::Node& node, const Map& in) {
  return filled(node.shape, [&](int c, int y, int x) {
    double sum = 0.0;
    double largest = -std::numeric_limits<double>::infinity();
    int count = 0;
    for (int ky = 0; ky < node.kernel; ++ky) {
      for (int kx = 0; kx < node.kernel; ++kx) {
        const int sy = y * node.stride - node.padding + ky;
        const int sx = x * node.stride - node.padding + kx;
        if (in.has(sy, sx)) {
          sum += in.at(c, sy, sx);
          largest = std::max(largest, in.at(c, sy, sx));
          ++count;
        }
      }
    }
    return node.op == graph::Op::kMaxPool ? largest : sum / count;
  });
}

inline Map global_avg_pool(const graph::Node& node, const Map& in) {
  return filled(node.shape, [&](int c, int, int) {
    double sum = 0.0;
    for (int y = 0; y < in.shape.height; ++y) {
      for (int x = 0; x < in.shape.width; ++x) {
        sum += in.at(c, y, x);
      }
    }
    return sum / (double{1} * in.shape.height * in.shape.width);
  });
}

inline Map linear(const graph::Net& net, const graph::Node& node, const Map& in) {
  const std::vector<float>& weight = parameter(net, node, ".weight");
  return filled(node.shape, [&](int c, int, int) {
    double sum = bias_of(net, node, c);
    for (int i = 0; i < in.shape.channels; ++i) {
      sum +=
          double{weight.at(static_cast<std::size_t>(c * in.shape.channels + i))} * in.at(i, 0, 0);
    }
    return sum;
  });
}

inline Map concat(const graph::Node& node, const std::vector<const Map*>& inputs) {
  return filled(node.shape, [&](int c, int y, int x) {
    std::size_t which = 0;
    while (c >= inputs.at(which)->shape.channels) {
      c -= inputs[which++]->shape.channels;
    }
    return inputs[which]->at(c, y, x);
  });
}

/// inputs: what the node reads, at least one.
inline Map execute(const graph::Net& net, const graph::Node& node,
                   const std::vector<const Map*>& inputs) {
  const Map& in = *inputs.at(0);
  switch (node.op) {
    case graph::Op::kConv:
      return conv(net, node, in);
    case graph::Op::kBatchNorm:
      return batch_norm(net, node, in);
    case graph::Op::kShift:
      return filled(node.shape, [&](int c, int y, int x) {
        return in.at(c, y, x) + parameter(net, node, ".bias").at(static_cast<std::size_t>(c));
      });
    case graph::Op::kActivation:
      return filled(node.shape, [&](int c, int y, int x) {
        return activated(node.activation, in.at(c, y, x));
      });
    case graph::Op::kMaxPool:
    case graph::Op::kAvgPool:
      return pool(node, in);
    case graph::Op::kGlobalAvgPool:
      return global_avg_pool(node, in);
    case graph::Op::kDropout:
      return in;
    case graph::Op::kLinear:
      return linear(net, node, in);
    case graph::Op::kAdd:
      return filled(node.shape, [&](int c, int y, int x) {
        return in.at(c, y, x) + inputs.at(1)->at(c, y, x);
      });
    case graph::Op::kMul:
      return filled(node.shape, [&](int c, int y, int x) {
        return in.at(c, y, x) * inputs.at(1)->at(c, 0, 0);
      });
    case graph::Op::kConcat:
      return concat(node, inputs);
    case graph::Op::kCrop:
      return filled(node.shape, [&](int c, int y, int x) {
        return in.at(c, y + node.offset, x + node.offset);
      });
    case graph::Op::kSlice:
      return filled(node.shape, [&](int c, int y, int x) { return in.at(c + node.offset, y, x); });
    case graph::Op::kShuffle: {
      const int size = node.shape.channels / node.groups;
      return filled(node.shape, [&](int c, int y, int x) {
        return in.at(c % node.groups * size + c / node.groups, y, x);
      });
    }
    case graph::Op::kMixedSum:
      return filled(node.shape, [&](int c, int y, int x) {
        double sum = 0;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
          sum += double{parameter(net, node, ".mixing").at(i)} * inputs[i]->at(c, y, x);
        }
        return sum;
      });
    case graph::Op::kDropPath:
      return in;
    case graph::Op::kInput:
      break;
  }
  throw std::logic_error("the input is not executed");
}

}  // namespace naive

/// The output of every node for one image, in the graph's order. image: [C, H, W] row-major.
inline std::vector<std::vector<double>> execute_every_node(const graph::Net& net,
                                                           std::span<const double> image) {
  std::vector<naive::Map> maps{naive::Map(net.graph.input_shape())};
  if (image.size() != maps[0].values.size()) {
    throw std::invalid_argument("the image has another size than the graph's input");
  }
  maps[0].values.assign(image.begin(), image.end());
  for (int i = 1; i < net.graph.size(); ++i) {
    std::vector<const naive::Map*> inputs;
    for (int input : net.graph[i].inputs) {
      inputs.push_back(&maps.at(static_cast<std::size_t>(input)));
    }
    naive::Map out = naive::execute(net, net.graph[i], inputs);
    maps.push_back(std::move(out));
  }
  std::vector<std::vector<double>> outputs;
  for (naive::Map& map : maps) {
    outputs.push_back(std::move(map.values));
  }
  return outputs;
}

/// The net's output for one image, without any rounding to float. image: [C, H, W] row-major.
inline std::vector<double> execute_naively(const graph::Net& net, std::span<const double> image) {
  return execute_every_node(net, image).back();
}

/// batch: [N, C, H, W]. Gives [N, C] if the net ends in a vector, [N, C, H, W] otherwise.
inline FloatTensor execute_naively(const graph::Net& net, const FloatTensor& batch) {
  const graph::Shape in = net.graph.input_shape();
  const graph::Shape out = net.graph.output_shape();
  const std::int64_t images = batch.shape.at(0);
  FloatTensor result{{images, out.channels}, {}};
  if (out.height != 1 || out.width != 1) {
    result.shape = {images, out.channels, out.height, out.width};
  }
  if (batch.values.size() != static_cast<std::size_t>(images * in.size())) {
    throw std::invalid_argument("the batch has another size than the graph's input");
  }
  for (std::int64_t n = 0; n < images; ++n) {
    const auto begin = batch.values.begin() + n * in.size();
    const std::vector<double> image(begin, begin + in.size());
    for (double value : execute_naively(net, std::span<const double>(image))) {
      result.values.push_back(static_cast<float>(value));
    }
  }
  return result;
}

}  // namespace lathe::testing
