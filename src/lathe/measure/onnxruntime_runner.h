// Nets timed in this process by ONNX Runtime.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "lathe/measure/runner.h"

namespace lathe::measure {

struct OnnxRuntimeRunnerOptions {
  WriteModel write_model;            ///< for the batch size
  std::string precision = kFloat32;  ///< of the files that it writes
  int threads = 1;
  int batch = 1;
  std::uint64_t seed = 1;  ///< of the inputs
};

/// On the CPU, with all graph optimisations. A model file must have one input, of float32, whose
/// first size is the batch or symbolic, the others known.
/// @throws std::invalid_argument if threads or batch is not positive, or write_model missing; Error
/// if this build is without ONNX Runtime: its C++ API was not found when it was configured.
std::unique_ptr<ModelRunner> make_onnxruntime_runner(const OnnxRuntimeRunnerOptions& options);

}  // namespace lathe::measure
