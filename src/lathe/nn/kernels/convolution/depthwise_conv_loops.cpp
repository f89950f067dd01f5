#include "lathe/nn/kernels/convolution/depthwise_conv_loops.h"

#include <cstddef>
#include <vector>

namespace lathe::nn {
namespace {

/// Memory of this thread, kept for the next call.
float* wide_buffer(std::int64_t floats) {
  thread_local std::vector<float> buffer;
  if (buffer.size() < static_cast<std::size_t>(floats)) {
    buffer.resize(static_cast<std::size_t>(floats));
  }
  return buffer.data();
}

#define LATHE_KERNEL_BODY "lathe/nn/kernels/convolution/depthwise_conv_loops.inc"
#include "lathe/nn/kernels/for_each_isa.inc"

}  // namespace

DepthwiseLoops depthwise_loops(const DepthwiseShape& shape, Isa isa) {
  return LATHE_SELECT_ISA(isa, loops)(shape);
}

}  // namespace lathe::nn
