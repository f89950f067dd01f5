#include "lathe/graph/graph.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace lathe::graph {
namespace {

[[noreturn]] void reject(const std::string& where, const std::string& what) {
  throw std::invalid_argument("[graph::" + where + "] " + what);
}

std::string text(const Shape& s) {
  return std::to_string(s.channels) + "x" + std::to_string(s.height) + "x" +
         std::to_string(s.width);
}

/// Output size of a pooling window; below 1 where none fits.
int pooled(int size, int kernel, int stride, int padding, bool ceil_mode) {
  const int span = size + 2 * padding - kernel + (ceil_mode ? stride - 1 : 0);
  if (span < 0) {
    return 0;  // division would round up to a window that isn't there
  }
  int out = span / stride + 1;
  // A window that would start in the right padding is dropped, as in torch and ONNX.
  if (ceil_mode && (out - 1) * stride >= size + padding) {
    --out;
  }
  return out;
}

Shape pooled(const char* where, const Shape& in, int kernel, int stride, int padding,
             bool ceil_mode) {
  // More padding than half a window would leave windows without a single input.
  if (kernel <= 0 || stride <= 0 || padding < 0 || padding > kernel / 2) {
    reject(where, "kernel and stride must be > 0 and padding in [0, kernel / 2], got kernel " +
                      std::to_string(kernel) + ", stride " + std::to_string(stride) + ", padding " +
                      std::to_string(padding));
  }
  const Shape out{in.channels, pooled(in.height, kernel, stride, padding, ceil_mode),
                  pooled(in.width, kernel, stride, padding, ceil_mode)};
  if (out.height <= 0 || out.width <= 0) {
    reject(where, "kernel " + std::to_string(kernel) + " is larger than " + text(in));
  }
  return out;
}

}  // namespace

Graph::Graph(Shape input) {
  if (input.channels <= 0 || input.height <= 0 || input.width <= 0) {
    reject("Graph", "input shape must be positive, got " + text(input));
  }
  nodes_.push_back({.op = Op::kInput, .shape = input});
}

const Shape& Graph::shape_of(int index) const {
  if (index < 0 || index >= size()) {
    reject("Graph", "input must be one of the " + std::to_string(size()) + " nodes so far, got " +
                        std::to_string(index));
  }
  return nodes_[static_cast<std::size_t>(index)].shape;
}

int Graph::append(Node node) {
  for (int input : node.inputs) {
    shape_of(input);
  }
  nodes_.push_back(std::move(node));
  return size() - 1;
}

int Graph::conv(int from, const std::string& name, const ConvOptions& o) {
  const Shape& in = shape_of(from);
  if (o.kernel <= 0 || o.stride <= 0 || o.dilation <= 0) {
    reject("conv", name + ": kernel, stride and dilation must be > 0, got " +
                       std::to_string(o.kernel) + ", " + std::to_string(o.stride) + ", " +
                       std::to_string(o.dilation));
  }
  if (o.out_channels <= 0 || o.groups <= 0 || in.channels % o.groups != 0 ||
      o.out_channels % o.groups != 0) {
    reject("conv", name + ": " + std::to_string(o.out_channels) + " channels in " +
                       std::to_string(o.groups) + " groups don't fit input " + text(in));
  }
  const int padding = o.padding.value_or(o.dilation * (o.kernel / 2));
  if (padding < 0) {
    reject("conv", name + ": padding must be >= 0, got " + std::to_string(padding));
  }
  const int span = o.dilation * (o.kernel - 1) + 1;
  const Shape out{o.out_channels, (in.height + 2 * padding - span) / o.stride + 1,
                  (in.width + 2 * padding - span) / o.stride + 1};
  if (in.height + 2 * padding < span || in.width + 2 * padding < span) {
    reject("conv", name + ": kernel " + std::to_string(o.kernel) + " is larger than " + text(in));
  }
  return append({.op = Op::kConv,
                 .inputs = {from},
                 .shape = out,
                 .name = name,
                 .kernel = o.kernel,
                 .stride = o.stride,
                 .padding = padding,
                 .dilation = o.dilation,
                 .groups = o.groups,
                 .bias = o.bias});
}

int Graph::batch_norm(int from, const std::string& name, double eps, bool affine) {
  return append({.op = Op::kBatchNorm,
                 .inputs = {from},
                 .shape = shape_of(from),
                 .name = name,
                 .eps = eps,
                 .affine = affine});
}

int Graph::shift(int from, const std::string& name) {
  return append({.op = Op::kShift, .inputs = {from}, .shape = shape_of(from), .name = name});
}

int Graph::activation(int from, Activation activation) {
  const Shape shape = shape_of(from);
  if (activation == Activation::kNone) {
    return from;
  }
  return append(
      {.op = Op::kActivation, .inputs = {from}, .shape = shape, .activation = activation});
}

int Graph::max_pool(int from, int kernel, int stride, int padding) {
  return append({.op = Op::kMaxPool,
                 .inputs = {from},
                 .shape = pooled("max_pool", shape_of(from), kernel, stride, padding, false),
                 .kernel = kernel,
                 .stride = stride,
                 .padding = padding});
}

int Graph::avg_pool(int from, int kernel, int stride, int padding, bool ceil_mode) {
  return append({.op = Op::kAvgPool,
                 .inputs = {from},
                 .shape = pooled("avg_pool", shape_of(from), kernel, stride, padding, ceil_mode),
                 .kernel = kernel,
                 .stride = stride,
                 .padding = padding,
                 .ceil_mode = ceil_mode});
}

int Graph::global_avg_pool(int from) {
  return append(
      {.op = Op::kGlobalAvgPool, .inputs = {from}, .shape = {shape_of(from).channels, 1, 1}});
}

int Graph::dropout(int from, double rate) {
  if (!(rate >= 0.0 && rate < 1.0)) {
    reject("dropout", "rate must be in [0, 1), got " + std::to_string(rate));
  }
  return append({.op = Op::kDropout, .inputs = {from}, .shape = shape_of(from), .rate = rate});
}

int Graph::drop_path(int from) {
  return append({.op = Op::kDropPath, .inputs = {from}, .shape = shape_of(from)});
}

int Graph::linear(int from, const std::string& name, int out_features, bool bias) {
  const Shape& in = shape_of(from);
  if (in.height != 1 || in.width != 1 || out_features <= 0) {
    reject("linear", name + ": needs a Cx1x1 input and at least one output, got input " + text(in) +
                         ", outputs " + std::to_string(out_features));
  }
  return append({.op = Op::kLinear,
                 .inputs = {from},
                 .shape = {out_features, 1, 1},
                 .name = name,
                 .bias = bias});
}

int Graph::add(int a, int b) {
  if (shape_of(a) != shape_of(b)) {
    reject("add", "shapes differ: " + text(shape_of(a)) + " and " + text(shape_of(b)));
  }
  return append({.op = Op::kAdd, .inputs = {a, b}, .shape = shape_of(a)});
}

int Graph::mul(int x, int gate) {
  if (shape_of(gate) != Shape{shape_of(x).channels, 1, 1}) {
    reject("mul", "gate of " + text(shape_of(x)) + " must have a number per channel, got " +
                      text(shape_of(gate)));
  }
  return append({.op = Op::kMul, .inputs = {x, gate}, .shape = shape_of(x)});
}

int Graph::concat(const std::vector<int>& from) {
  if (from.empty()) {
    reject("concat", "needs at least one input");
  }
  Shape out = shape_of(from.front());
  out.channels = 0;
  for (int index : from) {
    const Shape& in = shape_of(index);
    if (in.height != out.height || in.width != out.width) {
      reject("concat", "maps differ: " + text(shape_of(from.front())) + " and " + text(in));
    }
    out.channels += in.channels;
  }
  return append({.op = Op::kConcat, .inputs = from, .shape = out});
}

int Graph::crop(int from, int offset) {
  const Shape& in = shape_of(from);
  if (offset < 0 || offset >= in.height || offset >= in.width) {
    reject("crop", "offset must be in [0, size of the map), got " + std::to_string(offset) +
                       " for " + text(in));
  }
  return append({.op = Op::kCrop,
                 .inputs = {from},
                 .shape = {in.channels, in.height - offset, in.width - offset},
                 .offset = offset});
}

int Graph::slice(int from, int offset, int channels) {
  const Shape& in = shape_of(from);
  if (offset < 0 || channels < 1 || offset + channels > in.channels) {
    reject("slice", "channels from " + std::to_string(offset) + " to " +
                        std::to_string(offset + channels) + " are not in " + text(in));
  }
  return append({.op = Op::kSlice,
                 .inputs = {from},
                 .shape = {channels, in.height, in.width},
                 .offset = offset});
}

int Graph::shuffle(int from, int groups) {
  const Shape& in = shape_of(from);
  if (groups < 1 || in.channels % groups != 0) {
    reject("shuffle", std::to_string(groups) + " groups don't divide " + text(in));
  }
  return append({.op = Op::kShuffle, .inputs = {from}, .shape = in, .groups = groups});
}

int Graph::mixed_sum(const std::vector<int>& from, const std::string& name) {
  if (from.empty()) {
    reject("mixed_sum", name + ": needs at least one input");
  }
  const Shape shape = shape_of(from.front());
  for (const int index : from) {
    if (shape_of(index) != shape) {
      reject("mixed_sum",
             name + ": shapes differ: " + text(shape) + " and " + text(shape_of(index)));
    }
  }
  return append({.op = Op::kMixedSum, .inputs = from, .shape = shape, .name = name});
}

std::vector<ParameterSpec> parameters_of(const Graph& graph, int index) {
  const Node& node = graph[index];
  using Role = ParameterSpec::Role;
  std::vector<ParameterSpec> specs;
  const auto add = [&](const char* suffix, std::vector<std::int64_t> shape, Role role) {
    specs.push_back({node.name + suffix, std::move(shape), role, node.op});
  };
  const std::int64_t channels = node.shape.channels;
  if (node.op == Op::kConv) {
    const std::int64_t in = graph[node.inputs[0]].shape.channels;
    add(".weight", {channels, in / node.groups, node.kernel, node.kernel}, Role::kWeight);
  } else if (node.op == Op::kLinear) {
    add(".weight", {channels, graph[node.inputs[0]].shape.channels}, Role::kWeight);
  } else if (node.op == Op::kBatchNorm) {
    if (node.affine) {
      add(".weight", {channels}, Role::kWeight);
      add(".bias", {channels}, Role::kBias);
    }
    add(".running_mean", {channels}, Role::kRunningMean);
    add(".running_var", {channels}, Role::kRunningVar);
  }
  if (node.op == Op::kMixedSum) {
    add(".mixing", {static_cast<std::int64_t>(node.inputs.size())}, Role::kMixing);
  }
  if (node.op == Op::kShift) {
    add(".bias", {channels, 1, 1}, Role::kBias);
  }
  if ((node.op == Op::kConv || node.op == Op::kLinear) && node.bias) {
    add(".bias", {channels}, Role::kBias);
  }
  return specs;
}

std::vector<ParameterSpec> parameters_of(const Graph& graph) {
  std::vector<ParameterSpec> all;
  for (int i = 0; i < graph.size(); ++i) {
    std::vector<ParameterSpec> specs = parameters_of(graph, i);
    std::move(specs.begin(), specs.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace lathe::graph
