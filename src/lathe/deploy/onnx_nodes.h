// Nodes, attributes and initializers of ONNX's message. Private to the component.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace lathe::deploy {

void add_ints(onnx::NodeProto& node, const char* name, std::initializer_list<std::int64_t> values);
void add_int(onnx::NodeProto& node, const char* name, std::int64_t value);
void add_float(onnx::NodeProto& node, const char* name, double value);

/// Appends a node; it is called like its output unless `name` is something.
onnx::NodeProto& add_node(onnx::GraphProto& graph, const char* op,
                          const std::vector<std::string>& inputs, const std::string& output,
                          const std::string& name = "");

/// Appends a tensor whose values are `bytes`, little-endian. No shape: a scalar.
void add_initializer(onnx::GraphProto& graph, const std::string& name,
                     onnx::TensorProto_DataType type, std::span<const std::int64_t> shape,
                     std::span<const std::byte> bytes);

}  // namespace lathe::deploy
