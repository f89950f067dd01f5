// What machine this is.
#pragma once

#include <string>

namespace lathe::measure {

/// The processor's model name as the system gives it, "unknown CPU" where it doesn't.
std::string cpu_model();

/// The model of the GPU with this number as NVIDIA's driver gives it, in the order of their places
/// on the bus; "cuda:<index>" where it doesn't.
std::string gpu_model(int index);

}  // namespace lathe::measure
