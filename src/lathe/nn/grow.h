// Makes larger nets out of a trained smaller one, without changing what it computes.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "lathe/nn/shared_weights.h"
#include "lathe/space/space.h"

namespace lathe::nn {

/// Changes what `trained` does not have, so that every net which has at least its choices computes
/// what it computes, in training mode too: layers stop reading channels that it lacks, kernels are
/// zero around those that it has (a kernel that it reads through transforms becomes their result,
/// and they the identity), and residual branches that it lacks end in a batch norm of scale 0
/// and shift 0 (of scale 0.001 where a rectifier follows, which would pass no gradient at 0: there
/// nets compute nearly the same).
/// Gradients reach all of these from the first step on. The net itself computes what it did, and
/// nets with less than its choices something else than before.
///
/// `weights` are those of a supernet of `space`; `averages` are flat tensors like
/// weights.parameters().values() that are treated in the same way, such as a moving average.
/// @throws std::invalid_argument if `trained` is none of the space, or a block that it lacks has no
/// residual branch to be silent in.
/// @see Chen et al., "Net2Net" (ICLR 2016): function-preserving growth. Differs in: new channels
/// are random and unread, instead of copies that are shared out, so that no symmetry has to be
/// broken.
void grow(SharedWeights& weights, const space::Space& space, const space::Arch& trained,
          const std::vector<at::Tensor>& averages = {});

}  // namespace lathe::nn
