#include "lathe/deploy/onnx.h"

#include <onnx/checker.h>
#include <onnx/defs/shape_inference.h>
#include <onnx/shape_inference/implementation.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "lathe/core/error.h"
#include "lathe/core/file.h"
#include "lathe/deploy/onnx_builder.h"
#include "lathe/deploy/onnx_qdq.h"

namespace lathe::deploy {
namespace {

constexpr int kMinOpset = 11;
constexpr int kMinQuantizedOpset = 13;
constexpr int kMaxOpset = 17;

std::string text(const std::vector<std::int64_t>& shape) {
  std::string result;
  for (std::int64_t extent : shape) {
    result += (result.empty() ? "" : "x") + std::to_string(extent);
  }
  return result.empty() ? "nothing" : result;
}

/// Without the batch dimension; -1 where it is unknown.
std::vector<std::int64_t> inferred_shape(const onnx::ValueInfoProto& value) {
  std::vector<std::int64_t> shape;
  const onnx::TensorShapeProto& dims = value.type().tensor_type().shape();
  for (int i = 1; i < dims.dim_size(); ++i) {
    shape.push_back(dims.dim(i).has_dim_value() ? dims.dim(i).dim_value() : -1);
  }
  return shape;
}

/// Infers every shape from the input's, compares with the graph's, and leaves the output's shape
/// in the model.
void check_shapes(OnnxModel& model, const std::string& where) {
  try {
    onnx::shape_inference::InferShapes(model.proto, onnx::OpSchemaRegistry::Instance(),
                                       onnx::ShapeInferenceOptions(true, 1, true));
  } catch (const std::exception& error) {
    throw Error(where + "ONNX shape inference rejects the model: " + error.what());
  }
  onnx::GraphProto& graph = *model.proto.mutable_graph();
  std::map<std::string, std::vector<std::int64_t>> inferred;
  for (const onnx::ValueInfoProto& value : graph.value_info()) {
    inferred[value.name()] = inferred_shape(value);
  }
  inferred["logits"] = inferred_shape(graph.output(0));
  for (const auto& [name, shape] : model.shapes) {
    if (inferred[name] != shape) {
      throw Error(where + "value " + name + " must have shape " + text(shape) +
                  " as in the graph, ONNX infers " + text(inferred[name]));
    }
  }
  graph.clear_value_info();
}

void check_opset(const std::string& function, int opset, int least) {
  if (opset < least || opset > kMaxOpset) {
    throw std::invalid_argument("[deploy::" + function + "] opset must be in [" +
                                std::to_string(least) + ", " + std::to_string(kMaxOpset) +
                                "], got " + std::to_string(opset));
  }
}

std::string checked_bytes(OnnxModel& model, const std::string& where) {
  check_shapes(model, where);
  try {
    onnx::checker::check_model(model.proto);
  } catch (const std::exception& error) {
    throw Error(where + "ONNX's checker rejects the model: " + error.what());
  }
  std::string bytes;
  if (model.proto.ByteSizeLong() > static_cast<std::size_t>(std::numeric_limits<int>::max()) ||
      !model.proto.SerializeToString(&bytes)) {
    throw Error(where + "the model takes " + std::to_string(model.proto.ByteSizeLong()) +
                " bytes; an ONNX file holds at most 2147483647");
  }
  model.proto.Clear();
  return bytes;
}

}  // namespace

void export_onnx(const graph::Net& net, const std::filesystem::path& path,
                 const OnnxOptions& options) {
  check_opset("export_onnx", options.opset, kMinOpset);
  graph::check_weights(net);
  OnnxModel model = build_onnx(net, options);
  write_file_atomic(path, checked_bytes(model, path.string() + ": "));
}

std::int64_t onnx_size_bytes(const graph::Net& net, const OnnxOptions& options) {
  check_opset("onnx_size_bytes", options.opset, kMinOpset);
  graph::check_weights(net);
  OnnxModel model = build_onnx(net, options);
  return static_cast<std::int64_t>(checked_bytes(model, "").size());
}

void export_quantized_onnx(const QuantizedNet& net, const std::filesystem::path& path,
                           const OnnxOptions& options) {
  check_opset("export_quantized_onnx", options.opset, kMinQuantizedOpset);
  graph::check_weights(net.net);
  OnnxModel model = build_onnx(net.net, options);
  insert_quantization(net, model);
  write_file_atomic(path, checked_bytes(model, path.string() + ": "));
}

}  // namespace lathe::deploy
