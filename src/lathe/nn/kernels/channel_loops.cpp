#include "lathe/nn/kernels/channel_loops.h"

namespace lathe::nn {
namespace {

#define LATHE_KERNEL_BODY "lathe/nn/kernels/channel_loops.inc"
#include "lathe/nn/kernels/for_each_isa.inc"

}  // namespace

ChannelLoops channel_loops(std::int64_t channels, Isa isa) {
  return LATHE_SELECT_ISA(isa, loops)(channels);
}

}  // namespace lathe::nn
