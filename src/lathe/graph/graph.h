// The one description of a network. Everything that counts, runs, trains, folds or exports a net
// reads this; nothing else describes layers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lathe/core/tensor_map.h"

namespace lathe::graph {

/// Activations of one image; a vector is [channels, 1, 1].
struct Shape {
  int channels = 0;
  int height = 1;
  int width = 1;
  std::int64_t size() const { return std::int64_t{channels} * height * width; }
  bool operator==(const Shape&) const = default;
};

/// The side of the map that a layer with this stride makes of one, padded so that stride 1 keeps
/// it.
constexpr int strided(int side, int stride) { return (side - 1) / stride + 1; }

enum class Op {
  kInput,
  kConv,       ///< parameters `<name>.weight` [out, in / groups, k, k], `<name>.bias` [out]
  kBatchNorm,  ///< `<name>.weight|bias|running_mean|running_var` [channels]; the last two alone
               ///< where it isn't affine
  kShift,      ///< adds `<name>.bias` [channels, 1, 1]
  kActivation,
  kMaxPool,
  kAvgPool,  ///< padding is not counted in the mean
  kGlobalAvgPool,
  kDropout,  ///< the identity unless training
  kLinear,   ///< `<name>.weight` [out, in], `<name>.bias` [out]; on a [channels, 1, 1] input
  kAdd,
  kMul,     ///< second input [channels, 1, 1] is broadcast over the first's height and width
  kConcat,  ///< along channels
  kCrop,    ///< without its first `offset` rows and columns
  // Of nets that are searched or trained, which no export knows.
  kSlice,     ///< the channels from `offset` on, as many as the output has
  kShuffle,   ///< channels regrouped: [groups, n] becomes [n, groups]
  kMixedSum,  ///< the sum of its inputs, each times its number in `<name>.mixing` [inputs], which
              ///< is given with each run and belongs to no net
  kDropPath,  ///< zero for whole images at random, at a rate that is given with each run, and
              ///< scaled up for the others; the identity unless training
};

enum class Activation { kNone, kRelu, kRelu6, kHSwish, kHSigmoid };

/// One operation. Only the fields that its `op` reads have a meaning.
struct Node {
  Op op = Op::kInput;
  std::vector<int> inputs;  ///< indices of earlier nodes
  Shape shape;              ///< of the output
  std::string name;         ///< prefix of its parameters, unique; empty for nodes without any
  int kernel = 1;
  int stride = 1;
  int padding = 0;
  int dilation = 1;
  int groups = 1;
  int offset = 0;          ///< crop and slice
  bool bias = false;       ///< conv and linear
  bool ceil_mode = false;  ///< pooling
  Activation activation = Activation::kNone;
  double eps = 1e-5;   ///< batch norm
  bool affine = true;  ///< batch norm: with weight and bias
  double rate = 0.0;   ///< dropout and drop-path
  bool operator==(const Node&) const = default;
};

/// A directed acyclic graph in execution order: node 0 is the input, the last node is the output.
class Graph {
 public:
  /// @throws std::invalid_argument if the shape is not positive.
  explicit Graph(Shape input);

  // Each appends a node, works out its shape and returns its index.
  // @throws std::invalid_argument if `from` is no node, or the shapes don't fit.
  struct ConvOptions {
    int out_channels = 0;
    int kernel = 1;
    int stride = 1;
    int groups = 1;
    int dilation = 1;
    bool bias = false;
    std::optional<int> padding = {};  ///< unset: dilation * (kernel / 2)
  };
  int conv(int from, const std::string& name, const ConvOptions& options);
  int batch_norm(int from, const std::string& name, double eps, bool affine = true);
  int shift(int from, const std::string& name);
  int activation(int from, Activation activation);  ///< kNone returns `from`
  int max_pool(int from, int kernel, int stride, int padding);
  int avg_pool(int from, int kernel, int stride, int padding, bool ceil_mode);
  int global_avg_pool(int from);
  int dropout(int from, double rate);
  int linear(int from, const std::string& name, int out_features, bool bias);
  int add(int a, int b);
  int mul(int x, int gate);
  int concat(const std::vector<int>& from);
  int crop(int from, int offset);
  int slice(int from, int offset, int channels);
  int shuffle(int from, int groups);
  int mixed_sum(const std::vector<int>& from, const std::string& name);
  int drop_path(int from);

  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& operator[](int index) const { return nodes_.at(static_cast<std::size_t>(index)); }
  int size() const { return static_cast<int>(nodes_.size()); }
  Shape input_shape() const { return nodes_.front().shape; }
  Shape output_shape() const { return nodes_.back().shape; }

  /// Appends a node as it is, its inputs' shapes already checked by the caller: for passes that
  /// rewrite a graph.
  int append(Node node);

  bool operator==(const Graph&) const = default;

 private:
  const Shape& shape_of(int index) const;
  std::vector<Node> nodes_;
};

/// One tensor that a node reads, by its full name.
struct ParameterSpec {
  /// kMixing: of the caller, neither trained nor stored with the net.
  enum class Role { kWeight, kBias, kRunningMean, kRunningVar, kMixing };
  std::string name;
  std::vector<std::int64_t> shape;
  Role role = Role::kWeight;
  Op op = Op::kConv;  ///< of the node that owns it
};

/// What `node` reads, in a fixed order (weight, bias, running mean, running variance).
std::vector<ParameterSpec> parameters_of(const Graph& graph, int node);
/// Of every node, in execution order.
std::vector<ParameterSpec> parameters_of(const Graph& graph);

}  // namespace lathe::graph
