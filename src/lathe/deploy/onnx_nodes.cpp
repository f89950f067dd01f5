#include "lathe/deploy/onnx_nodes.h"

namespace lathe::deploy {

void add_ints(onnx::NodeProto& node, const char* name, std::initializer_list<std::int64_t> values) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INTS);
  for (std::int64_t value : values) {
    attribute.add_ints(value);
  }
}

void add_int(onnx::NodeProto& node, const char* name, std::int64_t value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

void add_float(onnx::NodeProto& node, const char* name, double value) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::FLOAT);
  attribute.set_f(static_cast<float>(value));
}

onnx::NodeProto& add_node(onnx::GraphProto& graph, const char* op,
                          const std::vector<std::string>& inputs, const std::string& output,
                          const std::string& name) {
  onnx::NodeProto& node = *graph.add_node();
  node.set_op_type(op);
  node.set_name(name.empty() ? output : name);
  for (const std::string& input : inputs) {
    node.add_input(input);
  }
  node.add_output(output);
  return node;
}

void add_initializer(onnx::GraphProto& graph, const std::string& name,
                     onnx::TensorProto_DataType type, std::span<const std::int64_t> shape,
                     std::span<const std::byte> bytes) {
  onnx::TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(type);
  for (std::int64_t extent : shape) {
    tensor.add_dims(extent);
  }
  tensor.set_raw_data(bytes.data(), bytes.size());
}

}  // namespace lathe::deploy
