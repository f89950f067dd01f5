// Puts the most important channels first, so that slicing keeps them.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "lathe/nn/supernet.h"

namespace lathe::nn {

/// Permutes the inner channels of every mobile block of the largest net by importance, descending:
/// the L1 norm of the projecting 1x1's weight per input channel; then the squeeze-excite's middle
/// by the L1 norm of its expanding 1x1. The largest net computes the same function as before.
/// `companions` are flat arrays of the parameters' layout that are permuted with them: the
/// optimizer's momentum (the public codes forget it).
/// Blocks of other kinds are left alone.
/// @see Once-for-All, section 3.3, "elastic width"; DepS sorts once, when shrinking starts.
void sort_channels(Supernet& supernet, const std::vector<at::Tensor>& companions);

}  // namespace lathe::nn
