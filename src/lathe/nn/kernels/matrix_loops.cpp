#include "lathe/nn/kernels/matrix_loops.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lathe::nn {
namespace {

#define LATHE_KERNEL_BODY "lathe/nn/kernels/matrix_loops.inc"
#include "lathe/nn/kernels/for_each_isa.inc"

}  // namespace

MatrixLoops matrix_loops(Isa isa) { return LATHE_SELECT_ISA(isa, loops)(); }

}  // namespace lathe::nn
