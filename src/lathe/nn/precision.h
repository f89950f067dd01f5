// The numbers that nets multiply in while they are trained.
#pragma once

#include <string>
#include <vector>

namespace lathe::nn {

/// Of convolutions and linear layers. Weights, gradients, batch statistics and losses are float32
/// in any case.
enum class Precision {
  kFloat32,
  kTf32,      ///< float32, but a GPU may round factors to 10 bits; on the CPU the same as kFloat32
  kBfloat16,  ///< 8 bits, and so is what layers pass on
};

/// {"float32", "tf32", "bfloat16"}.
std::vector<std::string> precision_names();

/// @throws std::invalid_argument if there is none of that name.
Precision precision_of(const std::string& name);
std::string to_string(Precision precision);

/// Whether GPUs may round factors of float32 to TF32, in all of this process from now on. torch
/// lets convolutions do so unless it is told otherwise.
void allow_tf32(bool allowed);

}  // namespace lathe::nn
