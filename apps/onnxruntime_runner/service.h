// What lathe-onnxruntime does: sessions of ONNX Runtime on the CPU.
#pragma once

#include <memory>

#include "lathe/measure/runners/runner_service.h"

namespace lathe::app {

/// All graph optimisations. A model file must have one input, of float32 [N, C, H, W], whose sizes
/// are known but for the first, which is the batch or symbolic; else a request to load it is
/// answered by an Error naming the file.
std::unique_ptr<measure::RunnerService> make_onnxruntime_service();

}  // namespace lathe::app
