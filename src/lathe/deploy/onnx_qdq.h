// Quantization in an ONNX message. Private to the component: it exposes ONNX's classes.
#pragma once

#include "lathe/deploy/onnx_builder.h"
#include "lathe/deploy/quantize.h"

namespace lathe::deploy {

/// Turns the float model of `net.net` into one of 8-bit tensors between QuantizeLinear and
/// DequantizeLinear (QDQ), which runtimes replace by operators on integers: each quantized value
/// goes through both, once for all readers; weights and biases become integers that a
/// DequantizeLinear reads, with a scale for each output channel (axis 0). Flatten and Reshape are
/// moved between the two, onto integers. Needs opset 13.
void insert_quantization(const QuantizedNet& net, OnnxModel& model);

}  // namespace lathe::deploy
