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

namespace lathe::deploy {
namespace {

constexpr int kMinOpset = 11;
constexpr int kMaxOpset = 17;

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

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
    throw Error(where + "ONNX shape inference rejects the model: " + one_line(error.what()));
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

}  // namespace

void export_onnx(const graph::Net& net, const std::filesystem::path& path,
                 const OnnxOptions& options) {
  if (options.opset < kMinOpset || options.opset > kMaxOpset) {
    throw std::invalid_argument("[deploy::export_onnx] opset must be in [11, 17], got " +
                                std::to_string(options.opset));
  }
  graph::check_weights(net);
  const std::string where = path.string() + ": ";
  OnnxModel model = build_onnx(net, options);
  check_shapes(model, where);
  try {
    onnx::checker::check_model(model.proto);
  } catch (const std::exception& error) {
    throw Error(where + "ONNX's checker rejects the model: " + one_line(error.what()));
  }
  std::string bytes;
  if (model.proto.ByteSizeLong() > static_cast<std::size_t>(std::numeric_limits<int>::max()) ||
      !model.proto.SerializeToString(&bytes)) {
    throw Error(where + "the model takes " + std::to_string(model.proto.ByteSizeLong()) +
                " bytes; an ONNX file holds at most 2147483647");
  }
  model.proto.Clear();
  write_file_atomic(path, bytes);
}

}  // namespace lathe::deploy
