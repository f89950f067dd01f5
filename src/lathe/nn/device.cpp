#include "lathe/nn/device.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/cuda.h>

#include "lathe/core/error.h"

namespace lathe::nn {

c10::Device open_device(const std::string& name) {
  const std::string expected = "device \"" + name + "\": expected cpu, cuda or cuda:<number>";
  c10::Device device(c10::kCPU);
  try {
    device = c10::Device(name);
  } catch (const c10::Error&) {
    throw Error(expected);
  }
  if (!device.is_cpu() && !device.is_cuda()) {
    throw Error(expected);
  }
  if (device.is_cuda()) {
    const auto count = static_cast<int>(torch::cuda::device_count());
    const int index = device.has_index() ? device.index() : 0;
    if (index >= count) {
      throw Error("device \"" + name + "\": LibTorch finds " + std::to_string(count) +
                  " GPUs; it must be built with CUDA, and the driver be loaded");
    }
    return {c10::kCUDA, static_cast<c10::DeviceIndex>(index)};
  }
  return device;
}

void make_current(c10::Device device) {
  if (!device.is_cpu()) {
    c10::impl::VirtualGuardImpl(device.type()).setDevice(device);
  }
}

void synchronize(c10::Device device) {
  if (device.is_cuda()) {
    torch::cuda::synchronize(device.index());
  }
}

at::Generator make_generator(c10::Device device, std::uint64_t seed) {
  if (device.is_cpu()) {
    return at::detail::createCPUGenerator(seed);
  }
  // A class of its own for each kind of device, whose headers a build for the CPU doesn't have.
  at::Generator generator = at::globalContext().defaultGenerator(device).clone();
  generator.set_current_seed(seed);
  return generator;
}

}  // namespace lathe::nn
