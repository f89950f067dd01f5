// From a graph to ONNX's message. Private to the component: it exposes ONNX's classes.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lathe/deploy/onnx.h"
#include "lathe/graph/fold.h"

namespace lathe::deploy {

/// A model, and what the graph says about each value that its nodes give.
struct OnnxModel {
  onnx::ModelProto proto;  ///< the output's shape is left open, for shape inference to find
  std::map<std::string, std::vector<std::int64_t>> shapes;  ///< without the batch dimension
  std::vector<std::string> outputs;  ///< what each node of the graph gives; the last's is "logits"
};

/// The model of `net`, whose weights are checked already; the model isn't.
/// @throws std::invalid_argument if a node other than the first is an input.
OnnxModel build_onnx(const graph::Net& net, const OnnxOptions& options);

}  // namespace lathe::deploy
