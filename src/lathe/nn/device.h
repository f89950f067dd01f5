// The device that tensors live on, by name; what differs between a CPU and a GPU in one place.
#pragma once

#include <ATen/core/Generator.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <string>

namespace lathe::nn {

/// "cpu", "cuda" (the first GPU) or "cuda:<number>".
/// @throws Error if it is none of these, or LibTorch doesn't find that GPU.
c10::Device open_device(const std::string& name);

/// What this thread means from now on by a device of that type without a number.
void make_current(c10::Device device);

/// Waits until the device has done all it was told to; on the CPU that is so already.
void synchronize(c10::Device device);

/// A generator of random numbers for tensors of that device. The same seed gives other numbers on
/// another kind of device.
at::Generator make_generator(c10::Device device, std::uint64_t seed);

}  // namespace lathe::nn
