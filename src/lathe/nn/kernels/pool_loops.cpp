#include "lathe/nn/kernels/pool_loops.h"

#include <cstddef>
#include <limits>

namespace lathe::nn {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

#define LATHE_KERNEL_BODY "lathe/nn/kernels/pool_loops.inc"
#include "lathe/nn/kernels/for_each_isa.inc"

}  // namespace

PoolLoops pool_loops(std::int64_t channels, Isa isa) {
  return LATHE_SELECT_ISA(isa, loops)(channels);
}

}  // namespace lathe::nn
