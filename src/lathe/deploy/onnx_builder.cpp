#include "lathe/deploy/onnx_builder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <span>
#include <stdexcept>
#include <utility>

#include "lathe/deploy/onnx_nodes.h"

namespace lathe::deploy {
namespace {

using graph::Activation;
using graph::Node;
using graph::Op;

constexpr int kFirstHardSwishOpset = 14;
constexpr const char* kBatchSymbol = "N";

/// What a graph node's output is called in the model. A linear layer gives [N, C] where the rest
/// of a net has [N, C, H, W]; `flat` tells them apart.
struct Value {
  std::string name;
  bool flat = false;
};

/// The version of the file format that came with an operator set: readers refuse newer ones.
std::int64_t ir_version(int opset) { return opset < 12 ? 6 : opset < 15 ? 7 : 8; }

class Builder {
 public:
  Builder(const graph::Net& net, const OnnxOptions& options) : net_(net), options_(options) {}

  OnnxModel build() {
    static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");
    describe_model();
    add_parameters();
    values_.push_back({"input"});
    model_.outputs.push_back("input");
    for (int i = 1; i < net_.graph.size(); ++i) {
      index_ = i;
      values_.push_back(add(net_.graph[i]));
      model_.outputs.push_back(values_.back().name);
      const graph::Shape& shape = net_.graph[i].shape;
      if (values_.back().name != "input") {
        note_shape(values_.back(), shape);
      }
    }
    add_output();
    return std::move(model_);
  }

 private:
  onnx::GraphProto& proto() { return *model_.proto.mutable_graph(); }

  void describe_model() {
    onnx::ModelProto& model = model_.proto;
    model.set_ir_version(ir_version(options_.opset));
    model.set_producer_name(options_.producer);
    model.set_doc_string(options_.doc);
    for (const auto& [key, value] : options_.metadata) {
      onnx::StringStringEntryProto& entry = *model.add_metadata_props();
      entry.set_key(key);
      entry.set_value(value);
    }
    onnx::OperatorSetIdProto& opset = *model.add_opset_import();
    opset.set_domain("");
    opset.set_version(options_.opset);
    proto().set_name("net");
    onnx::ValueInfoProto& input = *proto().add_input();
    input.set_name("input");
    onnx::TypeProto_Tensor& type = *input.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    onnx::TensorShapeProto& dims = *type.mutable_shape();
    if (options_.dynamic_batch) {
      dims.add_dim()->set_dim_param(kBatchSymbol);
    } else {
      dims.add_dim()->set_dim_value(1);
    }
    const graph::Shape shape = net_.graph.input_shape();
    for (int size : {shape.channels, shape.height, shape.width}) {
      dims.add_dim()->set_dim_value(size);
    }
  }

  void add_parameters() {
    for (const graph::ParameterSpec& spec : graph::parameters_of(net_.graph)) {
      add_initializer(spec.name, onnx::TensorProto::FLOAT, spec.shape,
                      std::as_bytes(std::span(net_.weights.at(spec.name).values)));
    }
  }

  void add_initializer(const std::string& name, onnx::TensorProto_DataType type,
                       std::span<const std::int64_t> shape, std::span<const std::byte> bytes) {
    deploy::add_initializer(proto(), name, type, shape, bytes);
  }

  /// A scalar that operators of these sets take as an input; made at its first use.
  std::string scalar(const std::string& name, float value) {
    const auto& all = proto().initializer();
    const bool known =
        std::any_of(all.begin(), all.end(), [&](const auto& t) { return t.name() == name; });
    if (!known) {
      add_initializer(name, onnx::TensorProto::FLOAT, {}, std::as_bytes(std::span(&value, 1)));
    }
    return name;
  }

  onnx::NodeProto& add_node(const char* op, const std::vector<std::string>& inputs,
                            const std::string& output, const std::string& name = "") {
    return deploy::add_node(proto(), op, inputs, output, name);
  }

  /// Names of values have no dot, those of parameters always do: they can't be the same.
  std::string value_name(const char* op) const {
    return std::string(op).append("_").append(std::to_string(index_));
  }

  void note_shape(const Value& value, const graph::Shape& shape) {
    std::vector<std::int64_t>& expected = model_.shapes[value.name];
    expected = {shape.channels};
    if (!value.flat) {
      expected.insert(expected.end(), {shape.height, shape.width});
    }
  }

  const graph::Shape& shape_of(int index) const { return net_.graph[index].shape; }

  /// The node's output as [N, C].
  Value flat(int index) {
    Value& value = values_[static_cast<std::size_t>(index)];
    if (value.flat) {
      return value;
    }
    const Value result{value_name("flatten"), true};
    add_int(add_node("Flatten", {value.name}, result.name), "axis", 1);
    note_shape(result, shape_of(index));
    return result;
  }

  /// The node's output as [N, C, H, W].
  Value map(int index) {
    Value& value = values_[static_cast<std::size_t>(index)];
    if (value.flat) {
      const std::string name = value.name + "_map";
      if (!model_.shapes.contains(name)) {  // once for all readers
        const std::vector<std::int64_t> target{0, shape_of(index).channels, 1, 1};  // 0: as it is
        const std::vector<std::int64_t> rank{4};
        add_initializer(name + "_shape", onnx::TensorProto::INT64, rank,
                        std::as_bytes(std::span(target)));
        add_node("Reshape", {value.name, name + "_shape"}, name);
      }
      value = {name, false};
      note_shape(value, shape_of(index));
    }
    return value;
  }

  Value add(const Node& node) {
    switch (node.op) {
      case Op::kConv:
        return add_conv(node);
      case Op::kBatchNorm:
        return add_batch_norm(node);
      case Op::kShift: {
        const Value out{value_name("shift")};
        add_node("Add", {map(node.inputs[0]).name, node.name + ".bias"}, out.name, node.name);
        return out;
      }
      case Op::kActivation:
        return add_activation(node);
      case Op::kMaxPool:
      case Op::kAvgPool:
        return add_pool(node);
      case Op::kGlobalAvgPool: {
        const Value out{value_name("global_avg_pool")};
        add_node("GlobalAveragePool", {map(node.inputs[0]).name}, out.name);
        return out;
      }
      case Op::kDropout:
      case Op::kDropPath:
        return values_[static_cast<std::size_t>(node.inputs[0])];
      case Op::kLinear:
        return add_linear(node);
      case Op::kAdd:
        return add_elementwise("Add", "add", node);
      case Op::kMul:
        return add_elementwise("Mul", "mul", node);
      case Op::kConcat:
        return add_elementwise("Concat", "concat", node);
      case Op::kCrop:
        return add_crop(node);
      case Op::kSlice:
      case Op::kShuffle:
      case Op::kMixedSum:
        throw std::invalid_argument("[deploy::export_onnx] node " + std::to_string(index_) +
                                    " is of a net that is searched; export one that was found");
      case Op::kInput:
        break;
    }
    throw std::invalid_argument("[deploy::export_onnx] node " + std::to_string(index_) +
                                " is a second input; a net has one");
  }

  Value add_conv(const Node& node) {
    const Value out{value_name("conv")};
    std::vector<std::string> inputs{map(node.inputs[0]).name, node.name + ".weight"};
    if (node.bias) {
      inputs.push_back(node.name + ".bias");
    }
    onnx::NodeProto& conv = add_node("Conv", inputs, out.name, node.name);
    add_ints(conv, "kernel_shape", {node.kernel, node.kernel});
    add_ints(conv, "strides", {node.stride, node.stride});
    add_ints(conv, "pads", {node.padding, node.padding, node.padding, node.padding});
    add_ints(conv, "dilations", {node.dilation, node.dilation});
    add_int(conv, "group", node.groups);
    return out;
  }

  Value add_batch_norm(const Node& node) {
    const Value out{value_name("batch_norm")};
    onnx::NodeProto& norm =
        add_node("BatchNormalization",
                 {map(node.inputs[0]).name, node.name + ".weight", node.name + ".bias",
                  node.name + ".running_mean", node.name + ".running_var"},
                 out.name, node.name);
    add_float(norm, "epsilon", node.eps);
    return out;
  }

  void add_hard_sigmoid(const std::string& input, const std::string& output) {
    onnx::NodeProto& node = add_node("HardSigmoid", {input}, output);
    add_float(node, "alpha", 1.0 / 6.0);
    add_float(node, "beta", 0.5);
  }

  Value add_activation(const Node& node) {
    const Value in = values_[static_cast<std::size_t>(node.inputs[0])];
    const Value out{value_name("activation"), in.flat};
    switch (node.activation) {
      case Activation::kNone:
        return in;
      case Activation::kRelu:
        add_node("Relu", {in.name}, out.name);
        break;
      case Activation::kRelu6:
        add_node("Clip", {in.name, scalar("relu6_min", 0.0F), scalar("relu6_max", 6.0F)}, out.name);
        break;
      case Activation::kHSwish:
        if (options_.opset >= kFirstHardSwishOpset) {
          add_node("HardSwish", {in.name}, out.name);
        } else {
          add_hard_sigmoid(in.name, out.name + "_gate");
          add_node("Mul", {in.name, out.name + "_gate"}, out.name);
        }
        break;
      case Activation::kHSigmoid:
        add_hard_sigmoid(in.name, out.name);
        break;
    }
    return out;
  }

  /// Pools with explicit padding at the end instead of ceil_mode: releases of the standard differ
  /// on whether a last window that starts in the padding counts, and runtimes on what it divides
  /// by. Such padding is always smaller than the kernel, as the operators require.
  Value add_pool(const Node& node) {
    const bool max = node.op == Op::kMaxPool;
    const Value out{value_name(max ? "max_pool" : "avg_pool")};
    onnx::NodeProto& pool =
        add_node(max ? "MaxPool" : "AveragePool", {map(node.inputs[0]).name}, out.name);
    const graph::Shape& in = shape_of(node.inputs[0]);
    const auto end = [&](int size_in, int size_out) -> std::int64_t {
      const int covered = (size_out - 1) * node.stride + node.kernel;
      return std::max(node.padding, covered - size_in - node.padding);
    };
    add_ints(pool, "kernel_shape", {node.kernel, node.kernel});
    add_ints(pool, "strides", {node.stride, node.stride});
    add_ints(pool, "pads",
             {node.padding, node.padding, end(in.height, node.shape.height),
              end(in.width, node.shape.width)});
    if (!max) {
      add_int(pool, "count_include_pad", 0);
    }
    return out;
  }

  Value add_linear(const Node& node) {
    const Value in = flat(node.inputs[0]);
    const Value out{value_name("linear"), true};
    std::vector<std::string> inputs{in.name, node.name + ".weight"};
    if (node.bias) {
      inputs.push_back(node.name + ".bias");
    }
    onnx::NodeProto& gemm = add_node("Gemm", inputs, out.name, node.name);
    add_int(gemm, "transB", 1);
    return out;
  }

  Value add_crop(const Node& node) {
    const Value out{value_name("crop")};
    const graph::Shape& in = shape_of(node.inputs[0]);
    std::vector<std::string> inputs{map(node.inputs[0]).name};
    const auto add_input = [&](const char* suffix, const std::array<std::int64_t, 2>& values) {
      inputs.push_back(out.name + suffix);
      const std::array<std::int64_t, 1> shape{2};
      add_initializer(inputs.back(), onnx::TensorProto::INT64, shape,
                      std::as_bytes(std::span(values)));
    };
    add_input("_starts", {node.offset, node.offset});
    add_input("_ends", {in.height, in.width});
    add_input("_axes", {2, 3});
    add_node("Slice", inputs, out.name);
    return out;
  }

  Value add_elementwise(const char* op, const char* label, const Node& node) {
    const bool all_flat = std::all_of(node.inputs.begin(), node.inputs.end(), [&](int i) {
      return values_[static_cast<std::size_t>(i)].flat;
    });
    std::vector<std::string> inputs;
    for (int input : node.inputs) {
      inputs.push_back(all_flat ? values_[static_cast<std::size_t>(input)].name : map(input).name);
    }
    if (node.op == Op::kMul) {
      // The gate first: some importers take x * HardSigmoid(y) for a HardSwish whatever x is.
      std::reverse(inputs.begin(), inputs.end());
    }
    const Value out{value_name(label), all_flat};
    onnx::NodeProto& added = add_node(op, inputs, out.name);
    if (node.op == Op::kConcat) {
      add_int(added, "axis", 1);
    }
    return out;
  }

  /// Gives the last value the name "logits", which a vector has as [N, C].
  void add_output() {
    const int last = net_.graph.size() - 1;
    index_ = last;
    const graph::Shape& shape = shape_of(last);
    const bool vector = shape.height == 1 && shape.width == 1;
    const Value value = vector ? flat(last) : map(last);
    if (value.name == "input") {
      add_node("Identity", {"input"}, "logits");
    }
    for (onnx::NodeProto& node : *proto().mutable_node()) {
      std::replace(node.mutable_output()->begin(), node.mutable_output()->end(), value.name,
                   std::string("logits"));
      if (value.name != "input") {
        std::replace(node.mutable_input()->begin(), node.mutable_input()->end(), value.name,
                     std::string("logits"));
      }
    }
    model_.shapes.erase(value.name);
    model_.outputs.back() = "logits";
    note_shape({"logits", vector}, shape);
    onnx::ValueInfoProto& output = *proto().add_output();
    output.set_name("logits");
    output.mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT);
  }

  const graph::Net& net_;
  const OnnxOptions& options_;
  OnnxModel model_;
  std::vector<Value> values_;  ///< of each node of the graph so far
  int index_ = 0;              ///< of the node at work
};

}  // namespace

OnnxModel build_onnx(const graph::Net& net, const OnnxOptions& options) {
  return Builder(net, options).build();
}

}  // namespace lathe::deploy
