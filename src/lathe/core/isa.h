// Which instruction set a kernel written for several uses.
#pragma once

namespace lathe {

enum class Isa {
  kGeneric,  ///< any machine
  kAvx2,     ///< x86-64-v3: AVX2 and FMA
  kAvx512,   ///< x86-64-v4: AVX-512 F, BW, CD, DQ and VL
};

/// The best that this machine has.
Isa best_isa();

}  // namespace lathe
