#include "lathe/nn/kernels/mixing/mixed_sum_loops.h"

namespace lathe::nn {
namespace {

#define LATHE_KERNEL_BODY "lathe/nn/kernels/mixing/mixed_sum_loops.inc"
#include "lathe/nn/kernels/for_each_isa.inc"

}  // namespace

MixedSumLoops mixed_sum_loops(Isa isa) { return LATHE_SELECT_ISA(isa, loops)(); }

}  // namespace lathe::nn
