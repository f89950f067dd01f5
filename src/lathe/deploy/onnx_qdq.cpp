#include "lathe/deploy/onnx_qdq.h"

#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lathe/deploy/onnx_nodes.h"

namespace lathe::deploy {
namespace {

using Shape = std::vector<std::int64_t>;

/// A value that lies as integers beside the one in float.
struct Stored {
  std::string levels;  ///< the uint8 value
  std::string real;    ///< what DequantizeLinear makes of it
  std::string scale;   ///< the initializers' prefix
};

class Quantizer {
 public:
  Quantizer(const QuantizedNet& net, OnnxModel& model)
      : net_(net), graph_(*model.proto.mutable_graph()) {
    for (std::size_t i = 0; i < net.activations.size(); ++i) {
      if (net.activations[i]) scales_[model.outputs[i]] = *net.activations[i];
    }
  }

  void run() {
    replace_parameters();
    const std::vector<onnx::NodeProto> nodes(graph_.node().begin(), graph_.node().end());
    graph_.clear_node();
    store_if_quantized("input");
    for (const onnx::NodeProto& node : nodes) {
      add(node);
      store_if_quantized(node.output(0));
    }
  }

 private:
  template <typename T>
  void add_initializer(const std::string& name, onnx::TensorProto_DataType type, const Shape& shape,
                       const std::vector<T>& values) {
    deploy::add_initializer(graph_, name, type, shape, std::as_bytes(std::span(values)));
  }

  /// Integers under the names of the weights and biases, their scales beside them.
  void replace_parameters() {
    const std::vector<onnx::TensorProto> floats(graph_.initializer().begin(),
                                                graph_.initializer().end());
    graph_.clear_initializer();
    std::set<std::string> replaced;
    for (const auto& [name, layer] : net_.layers) {
      replaced.insert({name + ".weight", name + ".bias"});
    }
    for (const onnx::TensorProto& tensor : floats) {
      if (!replaced.contains(tensor.name())) *graph_.add_initializer() = tensor;
    }
    for (const graph::Node& node : net_.net.graph.nodes()) {
      if (const auto found = net_.layers.find(node.name); found != net_.layers.end()) {
        add_layer(node, found->second);
      }
    }
  }

  void add_layer(const graph::Node& node, const IntegerLayer& layer) {
    const Shape channels{node.shape.channels};
    const std::string weight = node.name + ".weight";
    add_initializer(weight, onnx::TensorProto::INT8, net_.net.weights.at(weight).shape,
                    layer.weights);
    add_initializer(weight + ".scale", onnx::TensorProto::FLOAT, channels, layer.scales);
    add_initializer(weight + ".zero_point", onnx::TensorProto::INT8, channels,
                    std::vector<std::int8_t>(layer.scales.size(), 0));
    if (layer.biases.empty()) return;
    const float input = net_.activations[static_cast<std::size_t>(node.inputs[0])]->scale;
    std::vector<float> scales;
    for (const float scale : layer.scales) scales.push_back(input * scale);
    add_initializer(node.name + ".bias", onnx::TensorProto::INT32, channels, layer.biases);
    add_initializer(node.name + ".bias.scale", onnx::TensorProto::FLOAT, channels, scales);
  }

  void add(onnx::NodeProto node) {
    const std::string& op = node.op_type();
    const auto input = stored_.find(node.input(0));
    if ((op == "Flatten" || op == "Reshape") && input != stored_.end()) {
      const std::string& output = node.output(0);
      const Stored moved{output, output + "_dequantized", input->second.scale};
      node.set_input(0, input->second.levels);
      *graph_.add_node() = node;
      dequantize(output, moved);
      return;
    }
    for (std::string& name : *node.mutable_input()) {
      const auto found = stored_.find(name);
      if (found != stored_.end()) name = found->second.real;
    }
    if (op == "Conv" || op == "Gemm") {
      for (int i = 1; i < node.input_size(); ++i) {
        node.set_input(i, dequantized_parameter(node.input(i), node.output(0), i == 1));
      }
    }
    *graph_.add_node() = std::move(node);
  }

  /// Called by the value that reads it: a value's name has no dot.
  std::string dequantized_parameter(const std::string& parameter, const std::string& reader,
                                    bool weight) {
    std::vector<std::string> inputs{parameter, parameter + ".scale"};
    if (weight) inputs.push_back(parameter + ".zero_point");
    std::string output = reader + (weight ? "_weight" : "_bias");
    add_int(add_node(graph_, "DequantizeLinear", inputs, output), "axis", 0);
    return output;
  }

  void store_if_quantized(const std::string& value) {
    const auto found = scales_.find(value);
    if (found == scales_.end()) return;
    const Stored stored{value + "_quantized", value + "_dequantized", value};
    add_initializer(value + "_scale", onnx::TensorProto::FLOAT, {},
                    std::vector<float>{found->second.scale});
    add_initializer(value + "_zero_point", onnx::TensorProto::UINT8, {},
                    std::vector<std::uint8_t>{found->second.zero_point});
    add_node(graph_, "QuantizeLinear", {value, value + "_scale", value + "_zero_point"},
             stored.levels);
    dequantize(value, stored);
  }

  void dequantize(const std::string& value, const Stored& stored) {
    add_node(graph_, "DequantizeLinear",
             {stored.levels, stored.scale + "_scale", stored.scale + "_zero_point"}, stored.real);
    stored_[value] = stored;
  }

  const QuantizedNet& net_;
  onnx::GraphProto& graph_;
  std::map<std::string, ActivationScale> scales_;  ///< by the value's name
  std::map<std::string, Stored> stored_;           ///< by the float value's name
};

}  // namespace

void insert_quantization(const QuantizedNet& net, OnnxModel& model) { Quantizer(net, model).run(); }

}  // namespace lathe::deploy
