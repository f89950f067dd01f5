// Nets that take pixels where they were trained on normalised ones.
#pragma once

#include <span>

#include "lathe/graph/fold.h"

namespace lathe::graph {

/// The same function of x that `net` is of (x - mean) / stddev, per channel. The mean is subtracted
/// by a node "normalization" before everything else; 1 / stddev goes into the weights of those that
/// read the input. The mean doesn't, since borders would change: a convolution pads with zeros,
/// which are the mean in normalised input and black in pixels. In float, so that outputs agree to
/// its rounding.
/// @throws std::invalid_argument as check_weights, if the numbers are not one a channel or a stddev
/// is not > 0, if anything but a convolution or a linear layer reads the input, or if the net has a
/// parameter of the new node's name.
Net take_pixels(const Net& net, std::span<const float> mean, std::span<const float> stddev);

}  // namespace lathe::graph
