// Runs an ONNX file by the definitions of its operators: plain loops in double. It reads the file
// and knows nothing of Lathe's graph; of the operators, it has those that a net of convolutions
// needs.
#pragma once

#include <filesystem>

#include "lathe/core/tensor_map.h"

namespace lathe::testing {

/// The value of the model's output for its one input.
/// @throws std::runtime_error if the input's shape isn't the declared one, the output isn't of the
/// declared shape, or an operator or attribute is unknown.
FloatTensor interpret_onnx(const std::filesystem::path& path, const FloatTensor& input);

}  // namespace lathe::testing
