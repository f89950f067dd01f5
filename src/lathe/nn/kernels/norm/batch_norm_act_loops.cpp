#include "lathe/nn/kernels/norm/batch_norm_act_loops.h"

namespace lathe::nn {
namespace {

#define LATHE_KERNEL_BODY "lathe/nn/kernels/norm/batch_norm_act_loops.inc"
#include "lathe/nn/kernels/for_each_isa.inc"

}  // namespace

BatchNormActLoops batch_norm_act_loops(std::int64_t channels, graph::Activation activation,
                                       Isa isa) {
  return LATHE_SELECT_ISA(isa, loops)(channels, activation);
}

}  // namespace lathe::nn
