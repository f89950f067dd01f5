#include "lathe/nn/kernels/depthwise_conv_loops.h"

namespace lathe::nn {
namespace {

#define LATHE_KERNEL_BODY "lathe/nn/kernels/depthwise_conv_loops.inc"
#include "lathe/nn/kernels/for_each_isa.inc"

}  // namespace

DepthwiseLoops depthwise_loops(const DepthwiseShape& shape, Isa isa) {
  return LATHE_SELECT_ISA(isa, loops)(shape);
}

}  // namespace lathe::nn
