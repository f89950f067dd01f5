// Nets timed by ONNX Runtime, in the program lathe-onnxruntime.
#pragma once

#include <string>

namespace lathe::measure {

/// The command of a CommandRunner with protocol 2 that times model files in ONNX Runtime on this
/// CPU, with all graph optimisations. It is a program of its own because Lathe's own links ONNX's
/// schemas for what it exports, and the runtime brings them too; and so that a crash of the runtime
/// is not Lathe's.
/// Empty if it doesn't lie beside the running program, where it is built and installed if ONNX
/// Runtime's C++ API was found when Lathe was configured.
std::string onnxruntime_command();

}  // namespace lathe::measure
