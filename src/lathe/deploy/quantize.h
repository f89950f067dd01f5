// A net's weights and activations in 8 bits, by calibration: no training.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lathe/core/tensor_map.h"
#include "lathe/deploy/activation_range.h"
#include "lathe/graph/fold.h"

namespace lathe::deploy {

/// How a tensor of activations is stored: value = scale * (level - zero_point), level in [0, 255].
struct ActivationScale {
  float scale = 1;
  std::uint8_t zero_point = 0;
  bool operator==(const ActivationScale&) const = default;
};

/// The levels that cover `range`: 0 is exactly one of them, hence its ends move by up to half a
/// step where it goes both ways. Of {0, 0}, scale 1.
ActivationScale activation_scale(Range range);

/// The integers of a convolution or linear layer: weight = scales[o] * weights, bias =
/// input scale * scales[o] * biases, o being the output channel.
struct IntegerLayer {
  std::vector<std::int8_t> weights;  ///< in [-127, 127], in the order of the float ones
  std::vector<float> scales;         ///< one an output channel, > 0
  std::vector<std::int32_t> biases;  ///< empty: the layer has none
};

/// Weights rounded to the nearest of 255 levels, symmetric about 0, that reach the largest weight
/// of their output channel (the first dimension). Where the bias is so much larger than the weights
/// that it would pass 2^30 steps, the levels are wider.
/// bias: one value a channel, or empty.
/// @throws std::invalid_argument if a weight or bias is not finite.
IntegerLayer quantize_layer(const FloatTensor& weight, std::span<const float> bias,
                            float input_scale);

struct QuantizedNet {
  graph::Net net;  ///< batch norm folded; the weights are those before rounding
  /// Of each node's output; nothing where it stays float.
  std::vector<std::optional<ActivationScale>> activations;
  std::map<std::string, IntegerLayer> layers;  ///< by the node's name
};

/// The next batch [N, C, H, W], or nothing at the end.
using CalibrationBatches = std::function<std::optional<FloatTensor>()>;

struct QuantizeOptions {
  RangeRule ranges = RangeRule::kLeastError;
};

/// Post-training static quantization: unsigned activations with a scale and a zero point for each
/// tensor, signed weights with a scale for each output channel, 32-bit biases. Batch norm is
/// folded first.
///
/// Every tensor that an operation on integers gives or reads is quantized: all but hard-swish,
/// hard-sigmoid, batch norm left by itself and shifts (such as the normalisation of pixels) are
/// such. Float stay the net's output, so that near ties are not lost, and what nothing but a ReLU
/// or ReLU6 reads, since rounding and clipping go together. A range is that of the values of all
/// `batches`; below -3 (and of a hard-sigmoid above 3) all values count as one where nothing else
/// tells them apart. Max pooling and crops keep their input's scale.
///
/// Runs the net in float with torch's threads: its forward passes, and about as much again for
/// counting.
/// @throws std::invalid_argument as graph::check_weights, if there is no batch, or one doesn't
/// fit.
/// @throws Error if a value is not finite, naming the layer or node.
/// @see Jacob et al. 2018, Quantization and Training of Neural Networks for Efficient
/// Integer-Arithmetic-Only Inference, section 2; Krishnamoorthi 2018, arXiv:1806.08342, for scales
/// per channel. Differs in how activations' ranges are chosen (RangeRule).
QuantizedNet quantize(const graph::Net& net, const CalibrationBatches& batches,
                      const QuantizeOptions& options = {});

}  // namespace lathe::deploy
