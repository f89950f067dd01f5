// Puts the most important channels first, so that slicing keeps them.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "lathe/nn/shared_weights.h"
#include "lathe/space/space.h"

namespace lathe::nn {

/// Permutes, by importance, descending, the channels of every layer whose width is a choice of
/// `space`, whatever its family: a channel's importance is the L1 norm of what the layers behind it
/// read of it (graph::ChannelGroup::readers). The largest net computes the same function as before.
/// Where narrower nets have been trained already, name one for each width: channels stay within
/// the part that each of `trained` has, so that what those nets learned is kept.
/// `companions` are flat arrays of the parameters' layout that are permuted with them: an
/// optimizer's buffers (the public codes forget them).
/// @see Once-for-All, section 3.3, "elastic width"; DepS sorts once, when shrinking starts.
/// Differs in: the public code sorts the inner channels of mobile and bottleneck blocks alone;
/// here stage widths and chains' widths are sorted too where they are elastic.
void sort_channels(SharedWeights& weights, const space::Space& space,
                   const std::vector<space::Arch>& trained,
                   const std::vector<at::Tensor>& companions);

}  // namespace lathe::nn
