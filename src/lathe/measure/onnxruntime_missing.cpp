// In place of onnxruntime_runner.cpp where ONNX Runtime is not found.
#include "lathe/core/error.h"
#include "lathe/measure/onnxruntime_runner.h"

namespace lathe::measure {

std::unique_ptr<ModelRunner> make_onnxruntime_runner(const OnnxRuntimeRunnerOptions& /*options*/) {
  throw Error(
      "this build is without ONNX Runtime: install its C++ development files and configure again, "
      "or use --runner command with examples/runners/onnxruntime_node");
}

}  // namespace lathe::measure
